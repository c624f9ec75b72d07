"""What a form posts that was opened just now: its fields, and the edit token of what is stored."""

from django.db.models import Model

from efcp.audit.edit_tokens import FIELD, token_of


def fresh(model: type[Model], key: object, **fields: object) -> dict[str, str]:
    """`fields` with the token of the row `key` as it is stored now, or of a new one where there is none."""
    stored = model._default_manager.filter(pk=key).first() or model(pk=key)
    return {name: str(value) for name, value in fields.items()} | {FIELD: token_of(stored)}
