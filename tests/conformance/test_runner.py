"""The recorded behaviour of real proxies, and the runner that compares with it."""

import gzip
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.__main__ import read_vectors

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.mark.parametrize("kind", ["acceptance", "probing", "selection"])
def test_nothing_differs_from_the_recorded_proxies(kind: str) -> None:
    checker = importlib.import_module(f"tests.conformance.{kind}")
    compared = list(checker.compare(read_vectors(VECTORS / f"{kind}.json.gz")))
    assert compared
    assert not [difference for difference in compared if difference is not None]


def run(kind: str, vectors: Path) -> subprocess.CompletedProcess[str]:
    """The runner as a user calls it."""
    command = [sys.executable, "-m", "tests.conformance", kind, str(vectors)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def scenarios(tmp_path: Path, result: list[str]) -> Path:
    """A file with one selection, plain JSON, that claims `result`."""
    uri = "sip:127.0.0.1:6000"
    scenario = {
        "id": 1,
        "threshold": 1,
        "transports": ["udp"],
        "rows": [{"setid": 1, "destination": uri}],
        "loaded": {"1": [[uri, "Active"]]},
        "final": {"1": [[uri, "Active"]]},
        "steps": [
            {"op": "select", "set": 1, "alg": 8, "flags": "", "max": None, "result": result}
            | dict.fromkeys(("ruri", "from", "to"), "sip:a@b")
            | {"callid": "1"}
        ],
    }
    path = tmp_path / "selection.json"
    path.write_text(json.dumps([scenario]))
    return path


def test_the_last_line_counts_and_the_exit_is_0_where_nothing_differs(tmp_path: Path) -> None:
    done = run("selection", scenarios(tmp_path, ["sip:127.0.0.1:6000"]))
    assert (done.returncode, done.stdout) == (0, "selection: 1 checked, 0 differ\n")


def test_what_differs_is_printed_and_the_exit_is_1(tmp_path: Path) -> None:
    done = run("selection", scenarios(tmp_path, ["sip:127.0.0.1:6001"]))
    differing, last = done.stdout.splitlines()
    assert done.returncode == 1
    assert differing.startswith("scenario 1, step 0: ")
    assert last == "selection: 1 checked, 1 differ"


TEN_BYTES = {"dpid": 1, "match_op": 1, "match_exp": "^z(.)", "subst_exp": "^z(.)", "repl_exp": "\\1"}


@pytest.mark.parametrize(
    ("output", "differing"),
    [
        (b'"\xc3"', 0),
        (b'"\\u00c3"', 0),
        (b'"\\ufffd"', 0),
        (b'"\\udcc3"', 0),
        (b'"x\xc3"', 1),
    ],
)
def test_an_output_that_is_not_utf_8_is_compared(tmp_path: Path, output: bytes, differing: int) -> None:
    rules = json.dumps([TEN_BYTES]).encode()
    results = b'[["z\xc3\xa4", {"Output": ' + output + b', "ATTRIBUTES": ""}]]'
    vectors = b'{"translate": [{"rules": ' + rules + b', "results": ' + results + b'}], "accept": []}'
    path = tmp_path / "dialplan.json"
    path.write_bytes(vectors)
    done = run("dialplan", path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == f"dialplan: 1 checked, {differing} differ"
    assert done.returncode == differing


def test_files_may_be_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(b"[1]"))
    assert read_vectors(path) == [1]
