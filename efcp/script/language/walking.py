"""Walking through statements: every call that a block holds, and those below a condition."""

from collections.abc import Iterator

from efcp.script.language.syntax import (
    Assign,
    Binary,
    Block,
    Call,
    Expression,
    ForEach,
    If,
    Leave,
    Not,
    Resume,
    Statement,
    Switch,
    While,
)


def calls(block: Block) -> Iterator[Call]:
    """Every call in the block, in the order of the text, those in conditions and nested blocks too."""
    for statement in block:
        yield from calls_of(statement)


def calls_of(statement: Statement) -> Iterator[Call]:
    """Every call in one statement."""
    for expression in expressions_of(statement):
        yield from calls_in(expression)
    for block in blocks_of(statement):
        yield from calls(block)


def calls_in(expression: Expression) -> Iterator[Call]:
    """Every call in an expression."""
    match expression:
        case Call():
            yield expression
        case Not():
            yield from calls_in(expression.operand)
        case Binary():
            yield from calls_in(expression.left)
            yield from calls_in(expression.right)


def expressions_of(statement: Statement) -> tuple[Expression, ...]:
    """The expressions that a statement holds itself, not those of nested blocks."""
    match statement:
        case If() | While():
            return (statement.condition,)
        case Assign() | Leave():
            return (statement.value,) if statement.value is not None else ()
        case Resume():
            return (statement.call,)
        case ForEach() | Switch():
            return ()
        case _:
            return (statement,)


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """The blocks nested in a statement."""
    match statement:
        case If():
            return (statement.then, statement.otherwise)
        case While() | ForEach():
            return (statement.body,)
        case Switch():
            return tuple(case.body for case in statement.cases)
        case _:
            return ()
