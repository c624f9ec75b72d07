"""The forms of the script pages: the script to check; the answers to write one from."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from efcp.releases import DEFAULT
from efcp.script.checking.overview import TableFacts
from efcp.script.knowledge.facts import VERSIONS
from efcp.script.writing.answers import ALGORITHMS, FLAGS, Answers, Dialplan, GroupAnswers, MarkAction
from efcp.script.writing.refusals import RefusedAnswer

MAX_BYTES = 10_000_000
MAX_MEGABYTES = 1_000_000


class CheckForm(forms.Form):
    """A script, pasted or uploaded."""

    version = forms.ChoiceField(
        label="OpenSIPS", choices=[(version, version) for version in VERSIONS], initial=str(DEFAULT)
    )
    shared_memory = forms.IntegerField(required=False, min_value=1, max_value=MAX_MEGABYTES)
    private_memory = forms.IntegerField(required=False, min_value=1, max_value=MAX_MEGABYTES)
    text = forms.CharField(
        label="Script",
        required=False,
        strip=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea(
            attrs={"rows": "16", "class": "mono", "spellcheck": "false", "autocomplete": "off"}
        ),
    )
    keep = forms.BooleanField(label="Save its routes for previews", required=False)
    file = forms.FileField(label="Or upload a file", required=False, allow_empty_file=True)

    def clean(self) -> dict[str, Any]:
        """Exactly one of text and file, and that of a size that can be read."""
        data: dict[str, Any] = self.cleaned_data
        file = data.get("file")
        if bool(data.get("text")) == bool(file):
            raise forms.ValidationError("Paste a script or choose a file.")
        if file and file.size > MAX_BYTES:
            self.add_error("file", f"The file is larger than {MAX_BYTES // 10**6} MB.")
        return data

    def with_memory(self, tables: TableFacts) -> TableFacts:
        """The tables, with how many megabytes of memory the proxy is started."""
        data = self.cleaned_data
        return replace(tables, shared_memory=data["shared_memory"], private_memory=data["private_memory"])

    def script_name(self) -> str:
        """How the script is called."""
        file = self.cleaned_data["file"]
        return str(file.name) if file else "pasted"

    def script(self) -> tuple[str | bytes, str]:
        """The script and how it is called."""
        file = self.cleaned_data["file"]
        return (file.read(MAX_BYTES) if file else self.cleaned_data["text"]), self.script_name()


MAX_GROUPS = 20
MAX_NUMBER = 2**31 - 1
_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class NumbersField(forms.CharField):
    """Whole numbers with commas between them; its value is a tuple."""

    def clean(self, value: Any) -> tuple[int, ...]:
        """The numbers; raise ValidationError for anything else."""
        parts = [part.strip() for part in str(super().clean(value) or "").split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) <= len(str(MAX_NUMBER)) for part in parts):
            raise forms.ValidationError("Comma-separated whole numbers.")
        return tuple(map(int, parts))


def _text(label: str, help_text: str = "", **more: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=more.pop("max_length", 255),
        widget=forms.TextInput(attrs=_MONO),
        **{"required": False, **more},
    )


class AnswersForm(forms.Form):
    """What holds for the whole script. Left alone, these are the answers of the guide's own example."""

    version = forms.ChoiceField(label="OpenSIPS", choices=[(each, each) for each in VERSIONS])
    minimal = forms.TypedChoiceField(
        label="Write",
        choices=((0, "Only the additions to an existing file"), (1, "A complete configuration")),
        coerce=lambda value: value == "1",
    )
    database_url = _text("Database", "Written with PASSWORD in place of the password.", required=True)
    probing_interval = forms.IntegerField(
        label="Probing interval", min_value=0, max_value=86_400, help_text="Seconds; 0 disables probing."
    )
    threshold = forms.IntegerField(
        label="Threshold", min_value=1, max_value=MAX_NUMBER, help_text="Failures until probing."
    )
    probing_mode = forms.TypedChoiceField(
        label="Probed destinations", choices=((0, "Only failed ones"), (1, "All except inactive")), coerce=int
    )
    probing_from = _text("Probe From URI", required=True)
    reply_codes = NumbersField(label="Other OK replies", required=False, help_text="Besides 200.")
    dialplans = NumbersField(
        label="Dialplans applied first", required=False, help_text="Comma-separated dpids, in order."
    )
    socket = _text("Socket", "Complete configuration only.", required=True)
    mi_port = forms.IntegerField(label="MI port", min_value=1, max_value=65_535)
    module_path = _text("Module path", "Blank: built-in default.")
    show_passwords = forms.BooleanField(label="Include the real password", required=False)

    @classmethod
    def initial_of(cls, answers: Answers) -> dict[str, Any]:
        """What the form is filled with for these answers."""
        return {
            **{field.name: getattr(answers, field.name) for field in fields(answers)},
            "minimal": int(answers.minimal),
            "reply_codes": ", ".join(map(str, answers.reply_codes)),
            "dialplans": ", ".join(str(each.dpid) for each in answers.dialplans),
        }

    def answers(self, groups: tuple[GroupAnswers, ...]) -> Answers:
        """The answers, with those of the groups."""
        values = {
            field.name: self.cleaned_data[field.name]
            for field in fields(Answers)
            if field.name in self.fields
        }
        dialplans = tuple(Dialplan(dpid) for dpid in self.cleaned_data["dialplans"])
        return Answers(**{**values, "dialplans": dialplans, "groups": groups})


class GroupForm(forms.Form):
    """One group of destinations: its route, the choice, and what a failure means."""

    route = _text("Route", required=True, max_length=64)
    set_id = forms.IntegerField(label="Set", min_value=0, max_value=MAX_NUMBER)
    algorithm = forms.TypedChoiceField(
        choices=[(number, f"{number} · {each.words}") for number, each in ALGORITHMS.items()], coerce=int
    )
    parameter = _text("Selection key", "For 7, 9 and 10: e.g. $hdr(X-Tenant), $stat(load_%u) or a route.")
    flags = forms.MultipleChoiceField(
        choices=list(FLAGS.items()), required=False, widget=forms.CheckboxSelectMultiple
    )
    maximum = forms.IntegerField(
        label="Max. attempts", min_value=1, max_value=1_000, required=False, help_text="Blank: the whole set."
    )
    failure_route = _text("Failure route", "Blank: none.", max_length=64)
    failure_codes = _text("Failure codes", "POSIX expression for the reply code.", max_length=64)
    failure_timeouts = forms.BooleanField(label="Timeouts count as failures", required=False)
    mark = forms.ChoiceField(
        label="Then mark as",
        choices=(
            (MarkAction.PROBING.value, "probing"),
            (MarkAction.INACTIVE.value, "inactive"),
            ("", "nothing"),
        ),
        required=False,
    )
    try_next = forms.BooleanField(label="Try the next destination", required=False)
    last_code = forms.IntegerField(label="Final reply code", min_value=300, max_value=699)
    last_reason = _text("Final reason", required=True, max_length=100)
    empty_reason = _text("Reason if none is active", required=True, max_length=100)
    dialled = _text("Prefix", "Complete configuration only: dialled prefix. Blank: all others.")

    @classmethod
    def initial_of(cls, group: GroupAnswers) -> dict[str, Any]:
        """What the form is filled with for this group."""
        return {
            **{field.name: getattr(group, field.name) for field in fields(group)},
            "flags": list(group.flags.lower()),
            "dialled": group.prefix,
        }

    def group(self) -> GroupAnswers:
        """The group."""
        data = self.cleaned_data
        values = {field.name: data[field.name] for field in fields(GroupAnswers) if field.name in self.fields}
        flags, mark = "".join(data["flags"]), MarkAction(data["mark"])
        return GroupAnswers(**{**values, "flags": flags, "mark": mark, "prefix": data["dialled"]})


class WriterForms:
    """Both kinds of forms together, as they are sent."""

    def __init__(self, answers: AnswersForm, groups: list[GroupForm]) -> None:
        self.answers = answers
        self.groups = groups

    @classmethod
    def blank(cls, answers: Answers) -> "WriterForms":
        """The forms, filled with these answers."""
        groups = [
            GroupForm(initial=GroupForm.initial_of(group), prefix=f"groups.{index}")
            for index, group in enumerate(answers.groups)
        ]
        return cls(AnswersForm(initial=AnswersForm.initial_of(answers)), groups)

    @classmethod
    def posted(cls, data: Mapping[str, Any]) -> "WriterForms":
        """The forms as they were sent, with as many groups as are in them, at most MAX_GROUPS."""
        present = (index for index in range(MAX_GROUPS) if f"groups.{index}-route" in data)
        return cls(AnswersForm(data), [GroupForm(data, prefix=f"groups.{index}") for index in present])

    @classmethod
    def changed(cls, data: QueryDict, add: GroupAnswers | None, remove: str) -> "WriterForms":
        """The forms as they were sent, with a group more, or without the one called `remove`."""
        kept = {name: value for name, value in data.lists() if not (remove and name.startswith(f"{remove}-"))}
        changed = MultiValueDict(kept)
        free = [f"groups.{index}" for index in range(MAX_GROUPS) if f"groups.{index}-route" not in changed]
        if add is not None and free:
            for name, value in GroupForm.initial_of(add).items():
                if isinstance(value, list):
                    changed.setlist(f"{free[0]}-{name}", value)
                elif value is not None and value is not False:
                    changed[f"{free[0]}-{name}"] = "on" if value is True else str(value)
        return cls.posted(changed)

    def is_valid(self) -> bool:
        """Whether each answer by itself makes sense."""
        return not self.is_refused()

    @property
    def parts(self) -> list[forms.Form]:
        """All forms."""
        return [self.answers, *self.groups]

    def is_refused(self) -> bool:
        """Whether anything was found wrong with what was sent."""
        # A list, so that every form says what is wrong with it.
        return any([bool(form.is_bound and form.errors) for form in self.parts])  # noqa: C419

    def value(self) -> Answers:
        """The answers, once they are valid."""
        return self.answers.answers(tuple(form.group() for form in self.groups))

    def refuse(self, refusals: tuple[RefusedAnswer, ...]) -> None:
        """Say each refusal at the fields that it is about."""
        for refusal in refusals:
            for place in refusal.places:
                form, field = self._field(place)
                form.add_error(field, refusal.text)

    def _field(self, place: str) -> tuple[forms.Form, str | None]:
        """The form and field of an answer, as "groups.0.set_id"; None where it is none."""
        kind, _, rest = place.partition(".")
        number, _, name = rest.partition(".")
        if kind == "groups" and number and int(number) < len(self.groups):
            form: forms.Form = self.groups[int(number)]
            name = "dialled" if name == "prefix" else name
        else:
            form, name = self.answers, kind
        return form, name if name in form.fields else None
