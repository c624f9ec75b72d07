"""Results that nobody looks at, and what the caller is answered where no destination is left."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import ScriptFinding, hint, warning
from efcp.script.language.syntax import (
    ArgumentKind,
    Binary,
    Block,
    Call,
    Expression,
    ForEach,
    If,
    Not,
    Resume,
    Switch,
    blocks_of,
    calls,
    expressions_of,
    leaves_in,
    statements_in,
)

_EFFECTS = {
    "ds_select_dst": "Where no destination is left, the call goes on to wherever its request URI says",
    "ds_select_domain": "Where no destination is left, the call goes on to wherever its request URI says",
    "ds_next_dst": "Where none is left, the call goes to the destination that has just failed, or nowhere",
    "ds_next_domain": "Where none is left, the call goes to the destination that has just failed, or nowhere",
    "dp_translate": "Where no rule fits, the call goes on with what was dialled",
}
_NO_AUTOMATIC_REPLY = "no-auto-477"
_NO_AUTOMATIC_REPLY_BIT = 0x02


def untested(overview: Overview) -> Iterator[ScriptFinding]:
    """These functions say by their result alone that they found nothing."""
    read: str | None = None
    for site in overview.named(*_EFFECTS):
        if site.kept_in and read is None:
            read = "\n".join(_read(overview))
        name = site.call.name
        if site.kept_in and site.kept_in not in (read or ""):
            text = f"Nobody looks at {site.kept_in}, the result of {name}. {_EFFECTS[name]}."
            message = f"{text} Write if ({site.kept_in} < 0) {{ … exit; }}"
            yield warning("result-not-tested", site.place, message)
        elif not site.tested:
            text = f"Nobody looks at the result of {name}. {_EFFECTS[name]}."
            yield warning("result-not-tested", site.place, f"{text} Write if (!{name}(…)) {{ … exit; }}")


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


def unanswered(overview: Overview) -> Iterator[ScriptFinding]:
    """t_relay answers by itself where it can't send, unless a flag forbids it (t_relay_to in t_funcs.c)."""
    for site in overview.named("t_relay"):
        if not site.tested and _forbids_reply(site):
            text = "With no-auto-477 the caller gets no answer where the call can't be sent."
            message = f'{text} Write if (!t_relay(…)) send_reply(503, "Service Unavailable");'
            yield warning("relay-not-answered", site.place, message)


def _forbids_reply(site: Site) -> bool:
    flags = site.text(0) or ""
    if flags.lower().startswith("0x"):
        try:
            return bool(int(flags, 16) & _NO_AUTOMATIC_REPLY_BIT)
        except ValueError:
            return False
    return _NO_AUTOMATIC_REPLY in (flag.strip() for flag in flags.split(","))


_FINDING = frozenset({"ds_select_dst", "ds_select_domain", "ds_next_dst", "ds_next_domain"})
_REPLYING = frozenset({"send_reply", "sl_send_reply", "t_reply"})


def server_error(overview: Overview) -> Iterator[ScriptFinding]:
    """500 where no destination is left. RFC 3261 21.5: 500 is this server's own fault, while 503 says that
    the caller may try elsewhere."""
    for route in overview.script.routes:
        for block in _after_nothing_found(route.body):
            for call in calls(block):
                if _is_500(call):
                    text = "500 says that this server is broken. Write 503: there is no destination now, and"
                    yield hint("reply-500", call.place, f"{text} the caller may try elsewhere.")


def _is_500(call: Call) -> bool:
    if call.name not in _REPLYING or not call.arguments:
        return False
    code = call.arguments[0]
    return code.text == "500" and code.kind in (ArgumentKind.NUMBER, ArgumentKind.STRING)


def _after_nothing_found(block: Block) -> Iterator[Block]:
    """The blocks that run where a selection found nothing."""
    for statement in block:
        if isinstance(statement, If) and (found := _branch_of_nothing(statement)) is not None:
            yield found
        else:
            for nested in blocks_of(statement):
                yield from _after_nothing_found(nested)


def _branch_of_nothing(statement: If) -> Block | None:
    found = _implies_found(statement.condition)
    return None if found is None else statement.otherwise if found else statement.then


def _implies_found(expression: Expression) -> bool | None:
    """Whether a condition is true only where a selection found something (True), or only where none did
    (False); None where it is neither."""
    match expression:
        case Call():
            return True if expression.name in _FINDING else None
        case Not():
            found = _implies_found(expression.operand)
            return None if found is None else not found
        case Binary(operator="||"):
            sides = (_implies_found(expression.left), _implies_found(expression.right))
            return True if True in sides else None
        case Binary(operator="&&"):
            sides = (_implies_found(expression.left), _implies_found(expression.right))
            return False if False in sides else None
    return None


CHECKS = (
    untested,
    unanswered,
    server_error,
)
