"""How large the memory of a proxy must be for the table that it loads.

Seen on proxies of 3.4.18, 3.6.8 and 4.0.1, with tables of 10,000 and 50,000: `ds_list` with `full` answers
some 140 bytes a destination, and its texts. A reload keeps the old table until the new one is there, and both
take some 2,500 bytes a destination of shared memory: 32 MB, the default, do not hold 10,000.
"""

from dataclasses import dataclass

from efcp.script.checking.tables import Tables

_MEGABYTE = 1 << 20
_BYTES_OF_A_LISTED_ROW = 512
_BYTES_AROUND_A_LISTED_ROW = 256
_SHARED_BYTES_OF_A_ROW = 4096
_PRIVATE_BYTES_OF_A_ROW = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Sizes that fit: the buffer of httpd in bytes, shared (-m) and private (-M) memory in megabytes."""

    buffer: int
    shared: int
    private: int


def memory_for(tables: Tables | None) -> Memory:
    """Sizes for the dispatcher table, with room for half as many again."""
    rows = tables.rows or 0 if tables else 0
    texts = tables.bytes if tables else None
    listed = rows * _BYTES_OF_A_LISTED_ROW if texts is None else rows * _BYTES_AROUND_A_LISTED_ROW + 2 * texts
    return Memory(
        buffer=_megabytes(listed * 3 // 2, at_least=4, step=4) * _MEGABYTE,
        shared=_megabytes(rows * _SHARED_BYTES_OF_A_ROW * 3 // 2, at_least=64, step=64),
        private=_megabytes(rows * _PRIVATE_BYTES_OF_A_ROW * 3 // 2, at_least=16, step=8),
    )


def _megabytes(size: int, *, at_least: int, step: int) -> int:
    """So many bytes in megabytes, rounded up to a step."""
    return max(at_least, -(-size // (step * _MEGABYTE)) * step)
