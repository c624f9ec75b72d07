"""Recorded dialplan translations, and rules that load or not, against `dialplan.translation`.

After a reload that failed, what a real proxy translated came from the rules loaded before, which the vector
does not hold; of such a case the reload's answer, the other rule and the report are compared.
"""

from collections.abc import Iterator
from typing import Any, Final

from dialplan.translation.loading import LoadBroken, LoadedDialplans, load
from dialplan.translation.rules import MatchOp, RuleRow
from dialplan.translation.translate import (
    Failure,
    NoInformation,
    NotTranslated,
    Outcome,
    Translated,
    UndefinedOutput,
    translate,
)
from efcp.mi import as_text

Answer = dict[str, Any]

# Any time between the past and the future recurrences of the recording (2026-01-01).
_RECORDED_AT: Final = 1_767_225_600
_OTHER_RULE: Final = RuleRow(dpid=2, match_op=MatchOp.REGEX, match_exp="^ok$", attrs="ok")
_RELOAD_FAILED: Final = {
    "error": {"code": -32000, "message": "Server error", "data": "Command handler returned null"}
}


def compare(vectors: Any) -> Iterator[str | None]:
    """For each case what differs, or None."""
    for recorded in vectors["translate"]:
        yield from _compare_translations(recorded)
    for recorded in vectors["accept"]:
        yield _compare_acceptance(recorded)


def _compare_translations(recorded: Answer) -> Iterator[str | None]:
    rules = [RuleRow(**columns) for columns in recorded["rules"]]
    loaded = load(rules)
    for text, expected in recorded["results"]:
        if isinstance(loaded, LoadBroken):
            yield f"dpid {rules[0].dpid}: {loaded.cause.text}"
            continue
        subject = text.encode(errors="surrogateescape")
        outcome = translate(loaded.dialplans, rules[0].dpid, subject, _RECORDED_AT).outcome
        yield _difference(f"dpid {rules[0].dpid}, {text!r}", expected, outcome)


def _compare_acceptance(recorded: Answer) -> str | None:
    columns = {"match_op": MatchOp.REGEX, "match_exp": "^1", "attrs": "hit", **recorded["change"]}
    rule = RuleRow(dpid=1, **columns)
    result = load([rule, _OTHER_RULE])
    name = f"change {recorded['change']}"
    reload_answer = "OK" if isinstance(result, LoadedDialplans) else _RELOAD_FAILED
    if (reload_answer, result.report) != (recorded["reload"], recorded["report"]):
        return f"{name}: expected {recorded['reload']}, {recorded['report']}; got {result}"
    if isinstance(result, LoadBroken):
        result = load([_OTHER_RULE])
        assert isinstance(result, LoadedDialplans)
        return _difference(f"{name}, the other rule", recorded["others_ok"], _translate(result, 2, "ok"))
    text = rule.match_exp if rule.match_op == MatchOp.EQUAL else "1234"
    return _difference(name, recorded["translate"], _translate(result, 1, text)) or _difference(
        f"{name}, the other rule", recorded["others_ok"], _translate(result, 2, "ok")
    )


def _translate(loaded: LoadedDialplans, dpid: int, text: str) -> Outcome:
    return translate(loaded.dialplans, dpid, text.encode(), _RECORDED_AT).outcome


def _difference(name: str, expected: Answer, outcome: Outcome) -> str | None:
    return None if _agrees(expected, outcome) else f"{name}: expected {expected}, got {outcome}"


def _agrees(expected: Answer, outcome: Outcome) -> bool:
    match outcome:
        case Translated(_, output, attributes):
            return _is_text_of(expected.get("Output"), output) and _is_text_of(
                expected.get("ATTRIBUTES"), attributes
            )
        case UndefinedOutput(_, undefined):
            output = expected.get("Output", "").encode(errors="surrogateescape")
            return "Output" in expected and undefined.could_be(output)
        case NotTranslated(Failure.EMPTY_INPUT):
            return expected == _error("Empty input parameter")
        case NotTranslated():
            return expected == _error("No translation")
        case NoInformation():
            return expected == _error("No information available for dpid")
    return False


def _is_text_of(recorded: object, octets: bytes) -> bool:
    """Whether a recording stands for these bytes: other than UTF-8 is recorded in one of several ways."""
    try:
        return recorded == octets.decode()
    except UnicodeDecodeError:
        decoded = (
            octets.decode(errors=errors) for errors in ("replace", "surrogateescape", "backslashreplace")
        )
        return recorded in {as_text(octets), octets.decode("latin-1"), *decoded}


def _error(message: str) -> Answer:
    return {"error": {"code": 404, "message": message}}
