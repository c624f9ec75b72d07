"""Being asked to end by a signal.

A handler runs in the main thread between any two steps of it, also while that thread holds the lock inside
of a threading.Event: to set an event there can wait for itself for ever (1 of 600 processes that did little
but wait hung so). So the handler only notes the signal, and the main thread looks.
"""

import signal
from types import FrameType

LOOK_EVERY_S = 0.2


class EndingSignal:
    """Whether one of the signals has come; they are caught from its making on. For the main thread."""

    def __init__(self, *signals: signal.Signals) -> None:
        self.has_come = False
        for each in signals:
            signal.signal(each, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.has_come = True
