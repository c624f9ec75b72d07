"""What a record's write changed, column by column."""

import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from efcp.audit.models import AuditRecord
from efcp.clock import moment_text


@dataclass(frozen=True, slots=True)
class Difference:
    """One column before and after; None where the record has no such value, "NULL" where it was NULL."""

    column: str
    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        """Whether the column was written with another value."""
        return self.before != self.after


def differences(record: AuditRecord) -> list[Difference]:
    """Every column of the record, in the order in which it was recorded."""
    before, after = record.before or {}, record.after or {}
    columns = list(dict.fromkeys([*before, *after]))
    return [Difference(column, _shown(before, column), _shown(after, column)) for column in columns]


def changed_columns(record: AuditRecord) -> list[str]:
    """The columns that an edit gave another value; none for what was added, deleted or has no columns."""
    if record.before is None or record.after is None:
        return []
    return [each.column for each in differences(record) if each.changed]


def _shown(values: dict[str, Any], column: str) -> str | None:
    if column not in values:
        return None
    value = values[column]
    if value is None:
        return "NULL"
    if column.endswith("_at") and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return moment_text(datetime.fromisoformat(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
