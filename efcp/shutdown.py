"""Graceful shutdown: a signal is noted by its handler, and the main thread polls for it.

A handler runs in the main thread between any two steps of it, also while that thread holds the lock inside of
a threading.Event: setting an event there can wait for itself for ever (1 of 600 processes that did little but
wait hung so). A flag can't.
"""

import signal
from types import FrameType

POLL_INTERVAL_S = 0.2


class ShutdownSignal:
    """Whether one of the signals was received since this was created. For the main thread."""

    def __init__(self, *signals: signal.Signals) -> None:
        self.received = False
        for each in signals:
            signal.signal(each, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
