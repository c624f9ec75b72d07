"""`python -m tests.mutants [PATTERN …]`: change the code in small ways and count the changes that tests find.

mutmut works on a copy of the files that git tracks, so that the work tree stays as it is. Without a pattern
it changes the pure cores and the guarded writes (SUBJECTS). Each survivor is printed as a diff: write a test
that fails with it. Exit code 1 where fewer than LEAST_KILLED of the mutants are killed.
"""

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings

LEAST_KILLED = 0.90
SUBJECTS = {
    "dispatcher/routing/*": [
        "tests/dispatcher/routing",
        "tests/dispatcher/test_loadable.py",
        "tests/conformance/test_runner.py",
    ],
    "dialplan/translation/*": ["tests/dialplan/translation"],
    "efcp/sip/*": ["tests/sip", "tests/dispatcher/routing"],
    "efcp/editing/repository.py": ["tests/dispatcher", "tests/dialplan", "tests/editing"],
    "efcp/accounts/services.py": ["tests/accounts"],
    "efcp/accounts/throttle.py": ["tests/accounts"],
}
"""Which tests look after which files."""
SETTINGS = """
[tool.mutmut]
source_paths = ["dispatcher", "dialplan", "efcp"]
only_mutate = {files}
also_copy = ["manage.py", "templates", "static", "docs"]
pytest_add_cli_args = ["-o", "addopts=--strict-markers", "--hypothesis-profile=mutants", "-p", "no:randomly"]
pytest_add_cli_args_test_selection = {tests}
"""
FOUND = ("killed", "timeout", "suspicious", "segfault", "caught_by_type_check")


def main() -> int:
    """Run the mutants of each pattern; print the survivors and the share that is killed."""
    patterns = sys.argv[1:] or list(SUBJECTS)
    killed = total = 0
    for pattern in patterns:
        found, all_of_it = _run(pattern, _tests_of(pattern))
        sys.stdout.write(f"{pattern}: {found} of {all_of_it} mutants killed\n")
        sys.stdout.flush()
        killed, total = killed + found, total + all_of_it
    share = killed / total if total else 0.0
    sys.stdout.write(f"Killed: {killed} of {total} ({share:.1%}); at least {LEAST_KILLED:.0%} are to be.\n")
    return 0 if share >= LEAST_KILLED else 1


def _tests_of(pattern: str) -> list[str]:
    for files, tests in SUBJECTS.items():
        if pattern == files or fnmatch.fnmatch(pattern, files):
            return tests
    raise SystemExit(f"{pattern} is under none of {', '.join(SUBJECTS)}.")


def _run(files: str, tests: list[str]) -> tuple[int, int]:
    """Run the mutants of some files against some tests; how many are killed, of how many."""
    with tempfile.TemporaryDirectory(prefix="efcp-mutants-") as folder:
        _copy_to(Path(folder))
        with (Path(folder) / "pyproject.toml").open("a") as settings:
            settings.write(SETTINGS.format(files=json.dumps([files]), tests=json.dumps(tests)))
        _mutmut(folder, "run", "--max-children", str(len(os.sched_getaffinity(0))))
        _mutmut(folder, "export-cicd-stats")
        counts = json.loads((Path(folder) / "mutants" / "mutmut-cicd-stats.json").read_text())
        for line in _mutmut(folder, "results").splitlines():
            if line.strip().endswith((": survived", ": no tests")):
                sys.stdout.write(_mutmut(folder, "show", line.strip().partition(":")[0]))
    return sum(counts.get(each, 0) for each in FOUND), counts["total"] - counts.get("skipped", 0)


def _copy_to(folder: Path) -> None:
    """Copy what git tracks, from the work tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT_DIR, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (PROJECT_DIR / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT_DIR / name, folder / name)


def _mutmut(folder: str, *command: str) -> str:
    """Run mutmut in `folder`; its output. SystemExit with it where mutmut itself fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "mutmut", *command],
        cwd=folder,
        env=without_settings()
        | {"EFCP_SECRET_KEY": "a key for tests only, which no site must ever use", "CI": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(ended.stdout[-5_000:])
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main())
