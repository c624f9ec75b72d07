"""A script's values written as text again, all on one line."""

from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Assign,
    Binary,
    Block,
    Call,
    Case,
    Expression,
    ForEach,
    If,
    Item,
    Leave,
    LoadModule,
    ModuleParameter,
    Not,
    Resume,
    RouteBlock,
    Setting,
    Statement,
    Switch,
    Term,
    While,
)

LOGIC = ("&&", "||")
ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a"})


def quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def script_text(items: tuple[Item, ...]) -> str:
    return " ".join(item_text(item) for item in items)


def item_text(item: Item) -> str:
    match item:
        case LoadModule():
            return f"loadmodule {quoted(item.name)}"
        case ModuleParameter():
            return f"modparam({quoted(item.pattern)}, {quoted(item.name)}, {value_text(item.value)})"
        case Setting():
            return f"{item.name} = {value_text(item.value)}"
        case RouteBlock():
            parts = ", ".join((item.name, *item.options))
            return f"{item.kind}{f'[{parts}]' if parts else ''} {block_text(item.body)}"


def value_text(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def block_text(block: Block) -> str:
    return "{ " + " ".join(statement_text(each) for each in block) + " }"


def statement_text(statement: Statement) -> str:
    match statement:
        case If():
            otherwise = f" else {block_text(statement.otherwise)}" if statement.otherwise else ""
            return f"if ({condition_text(statement.condition)}) {block_text(statement.then)}{otherwise}"
        case While():
            return f"while ({condition_text(statement.condition)}) {block_text(statement.body)}"
        case ForEach():
            return f"for ({statement.variable} in {statement.source}) {block_text(statement.body)}"
        case Switch():
            cases = " ".join(case_text(case) for case in statement.cases)
            return f"switch ({statement.subject}) {{ {cases} }}"
        case _:
            return f"{action_text(statement)};"


def case_text(case: Case) -> str:
    labels = " ".join(f"case {quoted(each)}:" for each in case.values) or "default:"
    return f"{labels} {block_text(case.body)[2:-2]}"


def action_text(statement: Statement) -> str:
    match statement:
        case Assign(value=value) if value is not None:
            return f"{statement.variable} {statement.operator} {operand_text(value)}"
        case Leave():
            return f"{statement.word}({operand_text(statement.value)})" if statement.value else statement.word
        case Resume():
            route = f", {statement.route}" if statement.route else ""
            return f"{statement.word}({call_text(statement.call)}{route})"
        case Call():
            return call_text(statement)
    raise AssertionError(statement)


def call_text(call: Call) -> str:
    return f"{call.name}({', '.join(argument_text(each) for each in call.arguments)})"


def argument_text(argument: Argument) -> str:
    return quoted(argument.text) if argument.kind is ArgumentKind.STRING else argument.text


def condition_text(expression: Expression) -> str:
    match expression:
        case Not():
            return f"!({condition_text(expression.operand)})"
        case Binary(operator=operator) if operator in LOGIC:
            return f"({condition_text(expression.left)}) {operator} ({condition_text(expression.right)})"
        case Binary(operator=operator) if operator in ARITHMETIC:
            return f"[{operand_text(expression)}]"
    return operand_text(expression)


def operand_text(expression: Expression) -> str:
    match expression:
        case Term():
            return argument_text(expression.argument)
        case Call():
            return call_text(expression)
        case Binary(operator=operator) if operator in ARITHMETIC:
            return f"({operand_text(expression.left)}) {operator} ({operand_text(expression.right)})"
        case Binary():
            return f"{operand_text(expression.left)} {expression.operator} {operand_text(expression.right)}"
    raise AssertionError(expression)
