"""Results that nobody looks at, so that a call goes on as if nothing had failed."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Severity

_EFFECTS = {
    "ds_select_dst": "Where no destination is left, the call goes on to wherever its request URI says",
    "ds_select_domain": "Where no destination is left, the call goes on to wherever its request URI says",
    "ds_next_dst": "Where none is left, the call goes to the destination that has just failed, or nowhere",
    "ds_next_domain": "Where none is left, the call goes to the destination that has just failed, or nowhere",
    "dp_translate": "Where no rule fits, the call goes on with what was dialled",
}
_NO_AUTOMATIC_REPLY = "no-auto-477"
_NO_AUTOMATIC_REPLY_BIT = 0x02


def untested(overview: Overview) -> Iterator[Finding]:
    """These functions say by their result alone that they found nothing."""
    for site in overview.named(*_EFFECTS):
        if not site.tested:
            name = site.call.name
            text = f"Nobody looks at the result of {name}. {_EFFECTS[name]}."
            said = f"{text} Write if (!{name}(…)) {{ … exit; }}"
            yield Finding(Severity.WARNING, "result-not-tested", site.place, said)


def unanswered(overview: Overview) -> Iterator[Finding]:
    """t_relay answers by itself where it can't send, unless a flag forbids it (t_relay_to in t_funcs.c)."""
    for site in overview.named("t_relay"):
        if not site.tested and _forbids_reply(site):
            text = "With no-auto-477 the caller gets no answer where the call can't be sent."
            said = f'{text} Write if (!t_relay(…)) send_reply(503, "Service Unavailable");'
            yield Finding(Severity.WARNING, "relay-not-answered", site.place, said)


def _forbids_reply(site: Site) -> bool:
    flags = site.text(0) or ""
    if flags.lower().startswith("0x"):
        try:
            return bool(int(flags, 16) & _NO_AUTOMATIC_REPLY_BIT)
        except ValueError:
            return False
    return _NO_AUTOMATIC_REPLY in (flag.strip() for flag in flags.split(","))


CHECKS = (untested, unanswered)
