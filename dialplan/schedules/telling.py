"""A recurrence in words, and whether it applies now."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from dialplan.translation.timerec import InvalidRecurrence, parse_timerec
from dialplan.translation.wording import LOOKED_AHEAD_DAYS, next_change, words


@dataclass(frozen=True, slots=True)
class Told:
    """When it applies, whether that is now, and when that changes: None if not within some days."""

    words: str
    applies: bool
    changes_at: datetime | None
    days: int = LOOKED_AHEAD_DAYS


def told(text: str) -> Told | None:
    """What a recurrence means; None for none, and for one that the proxy does not take or crashes over."""
    if not text.strip():
        return None
    expression = parse_timerec(text.encode().decode("latin-1"))
    if isinstance(expression, InvalidRecurrence) or expression.can_crash:
        return None
    applies, change = next_change(expression, int(timezone.now().timestamp()))
    changes_at = datetime.fromtimestamp(change, UTC) if change is not None else None
    return Told(words(expression), applies, changes_at)


def short_words(text: str) -> str:
    """When it applies, for a list; the text itself where it does not parse."""
    expression = parse_timerec(text.encode().decode("latin-1"))
    return text if isinstance(expression, InvalidRecurrence) else words(expression)
