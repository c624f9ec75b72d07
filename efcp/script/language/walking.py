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
    Term,
    While,
)


def calls(block: Block) -> Iterator[Call]:
    """Every call in the block, in the order of the text, those in conditions and nested blocks too."""
    for statement in block:
        yield from calls_of(statement)


def statements_in(block: Block) -> Iterator[Statement]:
    """Every statement in the block, in the order of the text, those in nested blocks too."""
    for statement in block:
        yield statement
        for nested in blocks_of(statement):
            yield from statements_in(nested)


def calls_of(statement: Statement) -> Iterator[Call]:
    """Every call in one statement."""
    for expression in expressions_of(statement):
        yield from calls_in(expression)
    for block in blocks_of(statement):
        yield from calls(block)


def calls_in(expression: Expression) -> Iterator[Call]:
    """Every call in an expression."""
    for leaf in leaves_in(expression):
        if isinstance(leaf, Call):
            yield leaf
        elif isinstance(leaf, Resume):
            yield leaf.call


def leaves_in(expression: Expression) -> Iterator[Call | Term | Resume]:
    """Everything in an expression that holds no other expression."""
    match expression:
        case Term() | Resume():
            yield expression
        case Call():
            yield expression
            for argument in expression.arguments:
                if argument.condition is not None:
                    yield from leaves_in(argument.condition)
        case Leave():
            if expression.value is not None:
                yield from leaves_in(expression.value)
        case Not():
            yield from leaves_in(expression.operand)
        case Binary():
            yield from leaves_in(expression.left)
            yield from leaves_in(expression.right)


def resumes(block: Block) -> Iterator[Resume]:
    """Every async and launch in the block, those in conditions and nested blocks too."""
    for statement in block:
        for expression in (statement,) if isinstance(statement, Resume) else expressions_of(statement):
            yield from (leaf for leaf in leaves_in(expression) if isinstance(leaf, Resume))
        for nested in blocks_of(statement):
            yield from resumes(nested)


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
