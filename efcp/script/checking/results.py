"""Results that nobody looks at, so that a call goes on as if nothing had failed."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import Call, ForEach, Resume, Switch
from efcp.script.language.walking import expressions_of, leaves_in, statements_in

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
    read: str | None = None
    for site in overview.named(*_EFFECTS):
        if site.kept_in and read is None:
            read = "\n".join(_read(overview))
        name = site.call.name
        if site.kept_in and site.kept_in not in (read or ""):
            text = f"Nobody looks at {site.kept_in}, the result of {name}. {_EFFECTS[name]}."
            said = f"{text} Write if ({site.kept_in} < 0) {{ … exit; }}"
            yield Finding(Severity.WARNING, "result-not-tested", site.place, said)
        elif not site.tested:
            text = f"Nobody looks at the result of {name}. {_EFFECTS[name]}."
            said = f"{text} Write if (!{name}(…)) {{ … exit; }}"
            yield Finding(Severity.WARNING, "result-not-tested", site.place, said)


def _read(overview: Overview) -> Iterator[str]:
    """All that reads variables: terms, arguments, and texts."""
    for route in overview.script.routes:
        for statement in statements_in(route.body):
            if isinstance(statement, Switch):
                yield statement.subject
            elif isinstance(statement, ForEach):
                yield statement.source
            for expression in expressions_of(statement):
                for leaf in leaves_in(expression):
                    call = leaf.call if isinstance(leaf, Resume) else leaf
                    arguments = call.arguments if isinstance(call, Call) else (call.argument,)
                    yield from (argument.text for argument in arguments)


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
