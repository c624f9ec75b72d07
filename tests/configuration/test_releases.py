"""Releases of OpenSIPS: how a proxy's version is read, and what follows from it."""

from pathlib import Path

import pytest

from efcp import releases
from efcp.releases import DEFAULT, OLDEST, STRICTEST, SUPPORTED, Release


@pytest.mark.parametrize(
    ("version", "release"), [("3.4", (3, 4)), ("3.4.18", (3, 4)), ("4.0.1-dev", (4, 0)), ("10.12", (10, 12))]
)
def test_a_version_names_its_release(version: str, release: tuple[int, int]) -> None:
    assert Release.of(version) == Release(*release)


@pytest.mark.parametrize("version", ["", "devel", "3", "v3.4"])
def test_what_names_no_release_counts_as_the_other_one(version: str) -> None:
    assert Release.of(version, otherwise=STRICTEST) is STRICTEST
    with pytest.raises(ValueError, match="not an OpenSIPS version"):
        Release.of(version)


def test_releases_are_ordered_by_number_and_not_by_text() -> None:
    assert Release(3, 4) < Release(3, 10) < Release(4, 0)
    assert list(SUPPORTED) == sorted(SUPPORTED)
    assert SUPPORTED[0] == OLDEST <= DEFAULT <= STRICTEST == SUPPORTED[-1]


def test_a_release_is_written_as_its_two_numbers() -> None:
    assert [str(each) for each in SUPPORTED] == ["3.4", "3.6", "4.0"]


def test_each_supported_release_has_its_file_of_knowledge() -> None:
    folder = Path(releases.__file__).parent / "script" / "knowledge"
    assert {path.stem for path in folder.glob("[0-9]*.toml")} == {str(each) for each in SUPPORTED}


def test_a_later_release_does_what_the_latest_known_one_does() -> None:
    names = [name for name, each in vars(Release).items() if isinstance(each, property)]
    assert names
    assert all(getattr(Release(4, 9), name) == getattr(STRICTEST, name) for name in names)
