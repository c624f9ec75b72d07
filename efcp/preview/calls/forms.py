"""The forms of one call: the arguments of ds_select_dst, the source, and the call or a pasted request."""

from django import forms

from dispatcher.routing.hashing import Request
from dispatcher.routing.selection import DEFAULT_MAX_RESULTS, SelectFlag, parse_flags
from efcp.preview.calls.explanation import CallQuestion
from efcp.preview.forms import ALGORITHMS, FLAG_CHOICES, MAX_SET, FlagsInput, SourceForm
from efcp.script.script_routes import Handling
from efcp.sip.message import Message, MessageError, parse_message

MAX_SEED = 2**31 - 1
MAX_FAILURES = 50
MAX_PASTED = 65_535
MAX_PART = 500
"""Characters of a URI or Call-ID: all of them have to fit into one URL."""

MAX_MEASURES = 1_000
"""Characters of all loads or scores together."""

MAX_MEASURE = 2**31 - 1

DEFAULTS = {
    "setid": "1",
    "algorithm": "0",
    "flags": "f",
    "max_results": str(DEFAULT_MAX_RESULTS),
    "failures": "0",
    "threshold": "1",
    "seed": "1",
    "call_id": "1-2345@192.0.2.1",
    "from_uri": "sip:alice@example.org",
    "to_uri": "sip:bob@example.org",
    "request_uri": "sip:bob@example.org",
}
"""For parameters that the URL lacks; an empty one stays empty."""


class CallForm(SourceForm):
    """Everything that decides where one call goes; the page's URL holds all of it."""

    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    algorithm = forms.IntegerField(min_value=0, max_value=9_999)
    flags = forms.CharField(required=False, widget=FlagsInput(choices=FLAG_CHOICES))
    max_results = forms.IntegerField(label="Max. results", min_value=0, max_value=DEFAULT_MAX_RESULTS * 1_000)
    request_uri = forms.CharField(label="Request URI", required=False, max_length=MAX_PART)
    from_uri = forms.CharField(label="From URI", required=False, max_length=MAX_PART)
    to_uri = forms.CharField(label="To URI", required=False, max_length=MAX_PART)
    call_id = forms.CharField(label="Call-ID", required=False, max_length=MAX_PART)
    auth_user = forms.CharField(label="Auth user", required=False, max_length=MAX_PART)
    hash_value = forms.CharField(label="Value of hash_pvar", required=False, max_length=MAX_PART)
    measures = forms.CharField(
        label="Loads or scores",
        required=False,
        max_length=MAX_MEASURES,
        help_text="For 9 and 10: whole numbers in set order; missing values count as 0.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=MAX_SEED, help_text="For 6: the same seed gives the same number."
    )
    failures = forms.IntegerField(
        label="First N destinations fail",
        min_value=0,
        max_value=MAX_FAILURES,
        help_text="With a 5xx reply or no reply.",
    )
    threshold = forms.IntegerField(
        label="Probing threshold",
        min_value=1,
        max_value=32_000,
        help_text="Failures until probing.",
    )

    def clean_flags(self) -> SelectFlag:
        """The flags; a letter that is no flag is an error."""
        try:
            return parse_flags(self.cleaned_data["flags"])
        except ValueError as error:
            raise forms.ValidationError(f"{error}; use f, u, d or a.") from error

    def clean_measures(self) -> tuple[int, ...]:
        """The numbers."""
        try:
            numbers = tuple(int(word) for word in self.cleaned_data["measures"].replace(",", " ").split())
        except ValueError as error:
            raise forms.ValidationError("Whole numbers separated by spaces.") from error
        if any(abs(number) > MAX_MEASURE for number in numbers):
            raise forms.ValidationError(f"At most {MAX_MEASURE:,} each.")
        return numbers

    @property
    def is_other_algorithm(self) -> bool:
        """Whether the number is none that the panel knows; the page offers it all the same."""
        return str(self["algorithm"].value()) not in {str(int(number)) for number in ALGORITHMS}

    @property
    def select_call(self) -> str:
        """The same call of ds_select_dst in a script."""
        given = self.cleaned_data
        limit = f", {given['max_results']}" if given["max_results"] != DEFAULT_MAX_RESULTS else ""
        return f'ds_select_dst({given["setid"]}, {given["algorithm"]}, "{self["flags"].value()}"{limit})'

    @property
    def algorithm_name(self) -> str:
        """The algorithm's number and name."""
        number = self.cleaned_data["algorithm"]
        return ALGORITHMS.get(number, f"{number} · unknown, works as 8 (first entry)")

    def question(self, handling: Handling | None) -> CallQuestion:
        """The whole question; `handling` is what the script does when a destination fails."""
        given = self.cleaned_data
        return CallQuestion(
            setid=given["setid"],
            algorithm=given["algorithm"],
            flags=given["flags"],
            max_results=given["max_results"],
            request=self.request(),
            measures=given["measures"],
            seed=given["seed"],
            failures=given["failures"],
            threshold=given["threshold"],
            handling=handling,
        )

    def request(self) -> Request:
        """The call."""
        given = self.cleaned_data
        return Request(
            request_uri=given["request_uri"],
            from_uri=given["from_uri"],
            to_uri=given["to_uri"],
            call_id=given["call_id"],
            auth_user=given["auth_user"] or None,
            hash_value=given["hash_value"],
        )


class PastedForm(forms.Form):
    """A whole SIP request from a trace."""

    pasted = forms.CharField(
        label="SIP request",
        max_length=MAX_PASTED,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "spellcheck": "false"}),
        error_messages={"required": "Paste a request from its first line to the empty line."},
    )

    marked: tuple[str, str] = ("", "")
    """The line that does not parse, cut at the error."""

    def clean_pasted(self) -> Message:
        """The parsed request."""
        text = self.cleaned_data["pasted"]
        try:
            return parse_message(text)
        except MessageError as error:
            line = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[error.line - 1]
            self.marked = (line[: error.column - 1], line[error.column - 1 :])
            raise forms.ValidationError(str(error)) from error
