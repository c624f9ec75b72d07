"""The form of a destination: what is special to it. Its fields are declared in dispatcher/table.py."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from django import forms

from dispatcher.environment import not_looked_up
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import is_masked
from dispatcher.table import DESTINATIONS
from dispatcher.validation import FormEnvironment, check
from efcp.editing.findings import Finding
from efcp.editing.forms import RowForm


class DestinationForm(RowForm[DestinationRow]):
    """The eight fields of the old panel under their column names, and `priority` under "more".

    Without an `environment` nothing but the fields themselves is checked.
    """

    table = DESTINATIONS
    check_url = "dispatcher:check"
    clone_notice = "Copied from another destination. Change what differs."

    unknown_name_is_meant = forms.BooleanField(
        label="Save even though the name doesn't resolve here (split DNS)", required=False
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        stored: DestinationRow | None = None,
        environment: FormEnvironment | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data, stored=stored, **options)
        self.environment = environment
        self.name_is_unknown = False
        self.fields["socket"].widget.attrs["list"] = "known-sockets"
        self.fields["setid"].widget.attrs["list"] = "named-sets"
        if not self.is_bound:
            self.fields["destination"].widget.attrs["autofocus"] = True

    def rebind(self, values: Mapping[str, Any], stored: DestinationRow | None) -> None:
        """Bind this form to the next row of many."""
        super().rebind(values, stored)
        self.name_is_unknown = False

    @classmethod
    def to_restore(cls, former: Mapping[str, Any], stored: DestinationRow | None) -> Self:
        """The form filled with former values; the password of an `fs://` weight is not among them."""
        form = super().to_restore(former, stored)
        if is_masked(str(former.get("weight", ""))):
            form.initial["weight"] = stored.weight if stored else ""
            form.notice += " The password in the weight is not stored in the change log."
        return form

    def findings(self) -> Iterator[Finding]:
        """What the proxy would do with the row. An unknown name that is meant is only a warning."""
        if self.environment is None:
            return
        original = None if self.stored is None else self.original_row()
        for finding in check(self.cleaned_data, self.environment, original):
            self.name_is_unknown |= finding.code == "unknown-name"
            if finding.code == "unknown-name" and self.cleaned_data.get("unknown_name_is_meant"):
                self.warnings[finding.field].append(finding)
            else:
                yield finding

    def confirmation(self, name: str) -> forms.BoundField | None:
        """The box for a name that is not known here."""
        return self["unknown_name_is_meant"] if name == "destination" and self.name_is_unknown else None


class DestinationOfBatchForm(DestinationForm):
    """The form that checks one of many destinations: the name of one that stays is not looked up."""

    def findings(self) -> Iterator[Finding]:
        """What the proxy would do with the row alone."""
        environment = self.environment
        stays = self.stored is not None and self.stored.destination == self.cleaned_data.get("destination")
        if environment is not None and stays:
            self.environment = replace(environment, resolve=not_looked_up)
        yield from super().findings()
        self.environment = environment
