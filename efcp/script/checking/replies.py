"""What the caller is told where no destination is left."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import ArgumentKind, Block, Call, Expression, If, Not
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
    condition = statement.condition
    if isinstance(condition, Not) and _selects(condition.operand):
        return statement.then
    return statement.otherwise if _selects(condition) else None


def _selects(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.name in _FINDING


CHECKS = (server_error,)
