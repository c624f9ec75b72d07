"""How long the count of a large call log takes, and how much memory: the job as the panel's worker runs it.

`python -m tests.bench.call_log CALLS` does it alone; with a path besides it is the inner side, which counts
that file on a database of its own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import django
import numpy as np

from tests.environment import without_settings

CALLS = 10_000_000
_ROW = b"%s@192.0.2.10,sip:+4930%s@example.org,sip:+4989%s@example.org,2026-01-01T00:00:00Z\n"
_AT_ONCE = 200_000


def measure(calls: int = CALLS) -> None:
    """Print a line for each format and key: seconds and megabytes, beside what is aimed at."""
    print(f"{calls:,} calls of a log, by a table and by a memory that lacks one of its destinations")
    with tempfile.TemporaryDirectory(prefix="efcp-bench-") as folder:
        csv = Path(folder) / "calls.csv"
        write_csv(csv, calls)
        parquet = Path(folder) / "calls.parquet"
        write_parquet(csv, parquet)
        settings = {
            "EFCP_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "efcp.settings",
        }
        for path in (csv, parquet):
            command = [sys.executable, "-m", "tests.bench.call_log", str(calls), str(path)]
            subprocess.run(command, env=without_settings() | settings, check=True)


def write_csv(path: Path, calls: int) -> None:
    """A log with Call-ID, From, To and start, all drawn at random but the start."""
    dice = np.random.default_rng(1)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    row = _ROW % (b"i" * 32, b"f" * 7, b"t" * 7)
    fields = [(row.index(letter * 7), length) for letter, length in ((b"i", 32), (b"f", 7), (b"t", 7))]
    with path.open("wb") as file:
        file.write(b"call_id,from,to,start\n")
        for begin in range(0, calls, _AT_ONCE):
            rows = np.tile(np.frombuffer(row, np.uint8), (min(_AT_ONCE, calls - begin), 1))
            for at, length in fields:
                base = 16 if length == 32 else 10
                rows[:, at : at + length] = digits[dice.integers(0, base, (len(rows), length))]
            file.write(rows.tobytes())


def write_parquet(csv_path: Path, path: Path) -> None:
    """The same log as Parquet."""
    from pyarrow import csv, parquet

    reader = csv.open_csv(csv_path)
    with parquet.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def main() -> None:
    """Measure, or count a file in the environment that `measure` has made for it."""
    calls, *paths = sys.argv[1:] or [str(CALLS)]
    if not paths:
        measure(int(calls))
        return
    django.setup()
    from tests.bench.log_job import count

    count(Path(paths[0]), int(calls))


if __name__ == "__main__":
    main()
