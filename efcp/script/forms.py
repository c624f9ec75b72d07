"""The question: which script, for which version of OpenSIPS."""

from dataclasses import replace
from typing import Any

from django import forms

from efcp.releases import DEFAULT
from efcp.script.checking.tables import Tables
from efcp.script.knowledge.loading import VERSIONS

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
    keep = forms.BooleanField(label="Keep its routes for the previews", required=False)
    file = forms.FileField(label="or a file", required=False, allow_empty_file=True)

    def clean(self) -> dict[str, Any]:
        """Exactly one of text and file, and that of a size that can be read."""
        data: dict[str, Any] = self.cleaned_data
        file = data.get("file")
        if bool(data.get("text")) == bool(file):
            raise forms.ValidationError("Paste a script, or choose a file.")
        if file and file.size > MAX_BYTES:
            self.add_error("file", f"The file is larger than {MAX_BYTES // 10**6} MB.")
        return data

    def with_memory(self, tables: Tables) -> Tables:
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
