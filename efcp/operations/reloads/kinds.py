"""What is different from module to module when proxies are reloaded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from efcp.operations.reloads.asking import Reloaded
from efcp.proxies.fan_out import Target
from efcp.proxies.models import Proxy


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What is not as the table after a reload: how much, and in words.

    `differs` is None where it is not known, by `problem`, or where there is nothing to compare with.
    """

    differs: int | None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether it was read back, and nothing is known to differ."""
        return self.differs == 0 or (self.differs is None and not self.problem)


class Kind(Protocol):
    """How a module is reloaded. Made anew for each run."""

    def not_to_send(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """By proxy id why it is not asked: its whole reload would fail."""
        ...

    def prepare(self) -> None:
        """Read what `ask` and `store` need of the database, before the threads of each batch begin."""
        ...

    def ask(self, target: Target) -> Reloaded[Any]:
        """Reload one proxy and read it back; runs in a thread of its own, without the database."""
        ...

    def store(self, reloaded: Reloaded[Any]) -> ReadBack:
        """Store what was read back, and compare it with the table."""
        ...
