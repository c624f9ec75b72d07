"""`python -m efcp.preview.spread.peek PATH`: columns and first rows of a Parquet file, as JSON.

A process of its own, bounded in memory and time: a file may be made to expand without measure, and the
library that reads it may break on it. The panel's own processes never load it.
"""

import json
import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from efcp.preview.spread.sniffing import FIRST_ROWS, MAX_COLUMNS, Format, NoLogError, Sketch, shortened

MEMORY = 600_000_000
WITHIN_S = 15.0


def can_read_logs() -> bool:
    """Whether the library that reads logs is installed (the extra `replay`)."""
    return find_spec("pyarrow") is not None


def sketch_of_parquet(path: Path) -> Sketch:
    """Look at a Parquet file; raises NoLogError."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and a path that is ours
            [sys.executable, "-m", "efcp.preview.spread.peek", str(path)],
            cwd=PROJECT_DIR,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoLogError(f"Its first rows can't be read within {WITHIN_S:g} seconds.") from None
    if done.returncode != 0:
        raise NoLogError("It begins like a Parquet file, but reading it takes too much memory or breaks.")
    told = json.loads(done.stdout)
    if "problem" in told:
        raise NoLogError(told["problem"])
    return Sketch(Format.PARQUET, tuple(told["columns"]), tuple(map(tuple, told["rows"])))


def main(path: str) -> int:
    """Print what there is to tell of the file."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    json.dump(_told(path), sys.stdout)
    return 0


def _told(path: str) -> dict[str, object]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20)
        columns = file.schema_arrow.names
        if len(columns) > MAX_COLUMNS:
            return {"problem": f"It has {len(columns)} columns; at most {MAX_COLUMNS} can be read."}
        if not file.metadata.num_rows or not columns:
            return {"problem": "The file has no rows."}
        batch = next(file.iter_batches(batch_size=FIRST_ROWS, use_threads=False))
    except (pa.ArrowException, OSError) as error:
        return {"problem": f"It begins like a Parquet file, but can't be read: {str(error)[:200]}"}
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return {"columns": columns, "rows": [shortened([_text(cell) for cell in row]) for row in rows]}


def _text(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
