"""`python -m tests.database.former_rows`: the panel's tables as the version before had them, a row in each.

Prints the tables, as JSON: what the upgrade has to keep.
"""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

import django
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

FORMER = (
    ("accounts", "0002_user_time_zone"),
    ("audit", "0002_numbered_writes"),
    ("dialplan", "0004_case_keys"),
    ("dispatcher", "0002_name_lookups"),
    ("editing", "0001_initial"),
    ("jobs", "0001_initial"),
    ("operations", "0011_settled_reloads"),
    ("preview", "0003_lead_targets"),
    ("proxies", "0012_shared_questions"),
    ("sandbox", "0002_sample_decision"),
    ("script", "0001_kept_routes"),
)
"""The last migrations of the version before."""

MOMENT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


def value_of(field: "models.Field[Any, Any]") -> Any:
    """A value for a column; no default, so that it is seen to be kept."""
    if isinstance(field, models.DateTimeField):
        return MOMENT
    if isinstance(field, models.JSONField):
        return ["kept"]
    if isinstance(field, models.BinaryField):
        return b"kept"
    if isinstance(field, models.BooleanField):
        return not field.default
    if isinstance(field, models.IntegerField | models.FloatField):
        return 3
    return "kept"[: getattr(field, "max_length", None) or 4]


def add_row(model: type[models.Model], created: dict[type[models.Model], models.Model]) -> models.Model:
    """The row of a model, with those that it names."""
    if model not in created:
        row = model()
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey):
                other = field.related_model
                if other is model:
                    continue
                setattr(row, field.name, add_row(other, created))
            elif not isinstance(field, models.AutoField):
                setattr(row, field.attname, value_of(field))
        row.save(force_insert=True)
        created[model] = row
    return created[model]


def main() -> None:
    """Migrate, add the rows, and print the tables."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    django.setup()
    executor = MigrationExecutor(connection)
    leaves = [key for key in executor.loader.graph.leaf_nodes() if key[0] not in dict(FORMER)]
    state = executor.migrate([*FORMER, *leaves])
    created: dict[type[models.Model], models.Model] = {}
    every = [model for label, _migration in FORMER for model in state.apps.get_app_config(label).get_models()]
    for model in every:
        model._default_manager.all().delete()
    for model in every:
        add_row(model, created)
    json.dump(sorted(model._meta.db_table for model in created), sys.stdout)


if __name__ == "__main__":
    main()
