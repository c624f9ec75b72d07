"""What the caller is told where no destination is left."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import ArgumentKind, Binary, Block, Call, Expression, If, Not
from efcp.script.language.walking import blocks_of, calls

_FINDING = frozenset({"ds_select_dst", "ds_select_domain", "ds_next_dst", "ds_next_domain"})
_REPLYING = frozenset({"send_reply", "sl_send_reply", "t_reply"})


def server_error(overview: Overview) -> Iterator[Finding]:
    """500 where no destination is left. RFC 3261 21.5: 500 is this server's own fault, while 503 says that
    the caller may try elsewhere."""
    for route in overview.script.routes:
        for block in _after_nothing_found(route.body):
            for call in calls(block):
                if _is_500(call):
                    text = "500 says that this server is broken. Write 503: there is no destination now, and"
                    said = f"{text} the caller may try elsewhere."
                    yield Finding(Severity.HINT, "reply-500", call.place, said)


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
    found = _says_found(statement.condition)
    return None if found is None else statement.otherwise if found else statement.then


def _says_found(expression: Expression) -> bool | None:
    """Whether a condition is true only where a selection found something (True), or only where none did
    (False); None where it says neither."""
    match expression:
        case Call():
            return True if expression.name in _FINDING else None
        case Not():
            found = _says_found(expression.operand)
            return None if found is None else not found
        case Binary(operator="||"):
            sides = (_says_found(expression.left), _says_found(expression.right))
            return True if True in sides else None
        case Binary(operator="&&"):
            sides = (_says_found(expression.left), _says_found(expression.right))
            return False if False in sides else None
    return None


CHECKS = (server_error,)
