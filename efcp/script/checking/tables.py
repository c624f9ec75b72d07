"""What the panel's tables and settings say, as the checks want to know it: values only, read by others."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SetFacts:
    """One set of the dispatcher table: its rows, how many are not inactive (state other than 1), its name."""

    rows: int
    selectable: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables as they stand.

    `sets` by set id, `dialplans` the dpids with how many rules each has; `rows` and `bytes` are the size of
    the dispatcher table (bytes of all its text columns). `database` is the panel's own as (host, port, name),
    None where it is not MySQL. `proxies` is how many proxies read these tables; `shared_memory` and
    `private_memory` are with how many megabytes of each they are started (-m and -M); `listens` whether they
    are given a listener there (-l). A field that is None was not asked about, and no check may speak of it.
    """

    sets: Mapping[int, SetFacts] | None = None
    dialplans: Mapping[int, int] | None = None
    rows: int | None = None
    bytes: int | None = None
    database: tuple[str, int, str] | None = None
    partitions: frozenset[str] = field(default_factory=lambda: frozenset({"default"}))
    proxies: int | None = None
    shared_memory: int | None = None
    private_memory: int | None = None
    listens: bool = False
