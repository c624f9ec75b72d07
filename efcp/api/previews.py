"""What would happen: to one call, to a number, over a script. Nothing is changed."""

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema

from dialplan.dry_run import MAX_INPUT, try_input
from dialplan.selectors import TooManyRulesError
from dispatcher.routing.destinations import LoadedDestination
from efcp.accounts.roles import VIEW
from efcp.api.authentication import caller_of
from efcp.api.exchange import answered
from efcp.api.operations import StrictBody, declared
from efcp.api.problems import ProblemError, form_findings, invalid
from efcp.editing.table import MAX_INT
from efcp.preview.calls.explanation import CallExplanation, explain
from efcp.preview.calls.forms import DEFAULTS, CallForm
from efcp.preview.forms import MAX_SET
from efcp.preview.sources import sources
from efcp.proxies.selectors import watched_proxies
from efcp.releases import DEFAULT
from efcp.script.checking.check import as_json, check
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.script_routes import THE_GUIDES
from efcp.script.selectors import tables

router = Router()

MAX_SCRIPT = 500_000
_PART = 500


class CallBody(StrictBody):
    """One call, and how ds_select_dst is called for it."""

    source: str = Field(
        "", max_length=40, description="table, table-ID or memory-ID of a proxy; empty: the first offered."
    )
    setid: int = Field(1, ge=0, le=MAX_SET, description="The set.")
    algorithm: int = Field(0, ge=0, le=9_999, description="The algorithm.")
    flags: str = Field("f", max_length=8, description="f failover, u user only, d default, a append.")
    max_results: int = Field(1_000, ge=0, le=1_000_000, description="How many destinations are kept.")
    request_uri: str = Field(DEFAULTS["request_uri"], max_length=_PART, description="The request URI.")
    from_uri: str = Field(DEFAULTS["from_uri"], max_length=_PART, description="The From URI.")
    to_uri: str = Field(DEFAULTS["to_uri"], max_length=_PART, description="The To URI.")
    call_id: str = Field(DEFAULTS["call_id"], max_length=_PART, description="The Call-ID.")
    auth_user: str = Field("", max_length=_PART, description="The authenticated user.")
    hash_value: str = Field("", max_length=_PART, description="The value of hash_pvar.")
    seed: int = Field(1, ge=0, le=MAX_INT, description="For algorithm 6: the same draws the same number.")
    failures: int = Field(0, ge=0, le=50, description="How many destinations fail, from the first.")
    threshold: int = Field(1, ge=1, le=32_000, description="Failures that turn one to probing.")


class CallOut(Schema):
    """Where a call goes, and why."""

    source: str = Field(description="By what memory or table.")
    problem: str = Field(description="Why no destination is selected; empty where one is.")
    chosen: dict[str, Any] | None = Field(description="The destination.")
    failover: list[dict[str, Any]] = Field(description="The next ones, in order.")
    steps: list[str] = Field(description="Why, in sentences.")
    attempts: list[dict[str, Any]] = Field(description="Where it is sent, and what comes of it.")
    states_after: list[dict[str, Any]] = Field(description="States that the call changes.")
    notes: list[str] = Field(description="What is not known, or easily overlooked.")


@router.post(
    "/previews/call",
    summary="Preview a call",
    description="Which destination ds_select_dst selects for one call, and why.",
    operation_id="preview_call",
    url_name="preview-call",
    tags=["previews"],
    **declared(
        VIEW,
        "dispatcher",
        by_set=True,
        answer=CallOut,
        example={"setid": 1, "algorithm": 0, "call_id": "1-2345@192.0.2.1"},
    ),
)
def preview_call(request: HttpRequest, body: CallBody) -> HttpResponse:
    """Where one call would go."""
    caller_of(request).require_set(body.setid)
    offered = sources(watched_proxies())
    values = {name: str(value) for name, value in body.model_dump().items()}
    form = CallForm(DEFAULTS | values | {"source": body.source or offered[0].key, "measures": ""}, offered)
    if not form.is_valid():
        raise invalid(form_findings(form), "Nothing was computed.")
    return answered(_call_as_json(explain(form.source(), form.question(THE_GUIDES))))


def _call_as_json(found: CallExplanation) -> dict[str, Any]:
    return {
        "source": found.source,
        "problem": found.problem,
        "chosen": _destination(found.chosen) if found.chosen else None,
        "failover": [_destination(each) for each in found.shown_failover],
        "steps": list(found.story),
        "attempts": [
            {"next_hop": each.next_hop, "socket": each.socket, "outcome": each.outcome, "failed": each.failed}
            for each in found.steps
        ],
        "states_after": [
            {"uri": each.uri, "before": each.before, "after": each.after} for each in found.states_after
        ],
        "notes": list(found.notes),
    }


def _destination(loaded: LoadedDestination) -> dict[str, Any]:
    names = ("setid", "uri", "next_hop", "weight", "priority", "socket", "attrs", "row_id")
    return {name: getattr(loaded, name) for name in names}


class TranslationBody(StrictBody):
    """A number, or another text."""

    dpid: int = Field(ge=0, le=MAX_INT, description="The dialplan.")
    input: str = Field(min_length=1, max_length=MAX_INPUT, description="What is translated.")


class TranslationOut(Schema):
    """What becomes of an input."""

    output: str | None = Field(description="What comes out; null where nothing does.")
    attributes: str = Field(description="What the script gets with it.")
    words: str = Field(description="What happened, in words.")
    certain: bool = Field(description="Whether no proxy may do otherwise.")
    possible: list[dict[str, Any]] = Field(description="The outcomes where chance decides.")
    attempted: list[dict[str, Any]] = Field(description="The rules that were tried, in order.")


@router.post(
    "/previews/translation",
    summary="Preview a translation",
    description="What a proxy makes of a number after a reload of the table, now.",
    operation_id="preview_translation",
    url_name="preview-translation",
    tags=["previews"],
    **declared(VIEW, "dialplan", answer=TranslationOut, example={"dpid": 1, "input": "030123456"}),
)
def preview_translation(request: HttpRequest, body: TranslationBody) -> HttpResponse:
    """What becomes of an input."""
    try:
        found = try_input(body.dpid, body.input)
    except TooManyRulesError as error:
        raise ProblemError(422, "too_many_rules", str(error)) from None
    return answered(
        {
            "output": found.output,
            "attributes": found.attributes,
            "words": found.words,
            "certain": found.is_certain,
            "possible": [
                {"output": each.output, "attributes": each.attributes, "words": each.words}
                for each in found.possible
            ],
            "attempted": [
                {"row_id": each.rule.rule.id, "words": each.words, "used": each.used} for each in found.trials
            ],
        }
    )


class ScriptBody(StrictBody):
    """A script."""

    text: str = Field(min_length=1, max_length=MAX_SCRIPT, description="The text of opensips.cfg.")
    opensips: Literal[tuple(VERSIONS)] = Field(  # type: ignore[valid-type]
        str(DEFAULT), description="The version that it is for."
    )


class ScriptOut(Schema):
    """What is wrong with a script."""

    findings: list[dict[str, Any]] = Field(description="What is wrong or surprising, with its place.")
    errors: int = Field(description="How many are errors.")
    warnings: int = Field(description="How many are warnings.")
    hints: int = Field(description="How many are hints.")
    accepted: int = Field(description="How many findings the script itself accepts.")
    exit_code: int = Field(description="1 with errors, else 0.")
    skipped: int = Field(description="Constructs that were not understood.")


@router.post(
    "/previews/script",
    summary="Check a script",
    description="What is wrong with an opensips.cfg, also beside the tables. It is not stored.",
    operation_id="check_script",
    url_name="preview-script",
    tags=["previews"],
    **declared(VIEW, answer=ScriptOut, example={"text": "route { exit; }\n"}),
)
def check_script(request: HttpRequest, body: ScriptBody) -> HttpResponse:
    """What is wrong with a script."""
    script = read_text(body.text, "opensips.cfg")
    return answered(as_json(check(script, knowledge_of(body.opensips), tables()), script.skipped))
