"""Reading files with their includes, and texts that come without a folder."""

from pathlib import Path

import pytest

from efcp.script.findings import Location, ScriptFinding, ScriptSeverity
from efcp.script.language import reading
from efcp.script.language.reading import read, read_text
from efcp.script.language.syntax import Script


def write(folder: Path, **texts: str) -> Path:
    """The files, by their names without the ending; the path of the first."""
    for name, text in texts.items():
        (folder / f"{name}.cfg").write_text(text)
    return folder / f"{next(iter(texts))}.cfg"


def reported(script: Script) -> list[tuple[str, str, int]]:
    return [(each.code, Path(each.place.file).name, each.place.line) for each in script.findings]


def loaded(script: Script) -> list[tuple[str, str, int]]:
    return [(each.name, Path(each.place.file).name, each.place.line) for each in script.modules]


def test_includes_stand_in_their_places(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main='loadmodule "a"\ninclude_file "one.cfg"\nloadmodule "d"\n',
        one='loadmodule "b"\n\n  import_file \'two.cfg\' ; ignored\nloadmodule "c"',
        two='#\nloadmodule "x"\n',
    )
    script = read(path)
    assert reported(script) == []
    assert loaded(script) == [
        ("a", "main.cfg", 1),
        ("b", "one.cfg", 1),
        ("x", "two.cfg", 2),
        ("c", "one.cfg", 4),
        ("d", "main.cfg", 3),
    ]


def test_an_include_may_stand_within_a_route(tmp_path: Path) -> None:
    path = write(tmp_path, main='route {\ninclude_file "body.cfg"\n exit;\n}\n', body="t_relay();\n")
    script = read(path)
    assert reported(script) == []
    assert [Path(each.place.file).name for each in next(script.routes).body] == ["body.cfg", "main.cfg"]


def test_an_include_behind_a_remark_is_none(tmp_path: Path) -> None:
    assert reported(read(write(tmp_path, main='# include_file "gone.cfg"\nlog_level=3\n'))) == []


def test_a_finding_has_the_line_of_its_own_file(tmp_path: Path) -> None:
    path = write(tmp_path, main='\ninclude_file "one.cfg"\n\nroute {\n', one="\n\nfoo bar\n}")
    assert reported(read(path)) == [
        ("unclosed-block", "main.cfg", 4),
        ("not-understood", "one.cfg", 3),
        ("stray-bracket", "one.cfg", 4),
    ]


def test_names_count_from_the_folder_of_the_file_that_includes(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", one='include_file "two.cfg"\n', two='loadmodule "a"\n')
    path = write(tmp_path, main=f'include_file "deep/one.cfg"\ninclude_file "{tmp_path}/deep/two.cfg"\n')
    assert loaded(read(path)) == [("a", "two.cfg", 1)] * 2


@pytest.mark.parametrize("word", ["include_file", "import_file"])
def test_a_missing_file_stops_the_proxy_whichever_word_names_it(tmp_path: Path, word: str) -> None:
    path = write(tmp_path, main=f'loadmodule "a"\n{word} "gone.cfg"\nloadmodule "b"\n')
    script = read(path)
    assert reported(script) == [("include-missing", "main.cfg", 2)]
    assert script.findings[0].severity is ScriptSeverity.ERROR
    assert len(list(script.modules)) == 2


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "one.cfg").mkdir()
    assert reported(read(write(tmp_path, main='include_file "one.cfg"\n'))) == [
        ("include-missing", "main.cfg", 1)
    ]


def test_a_name_too_long_for_any_file_is_a_missing_file(tmp_path: Path) -> None:
    path = write(tmp_path, main=f'include_file "{"a" * 5000}"\n')
    assert reported(read(path)) == [("include-missing", "main.cfg", 1)]


def test_a_cycle_of_includes_is_reported_once_and_skipped(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main='loadmodule "a"\ninclude_file "one.cfg"\nloadmodule "b"\n',
        one='\n\ninclude_file "main.cfg"\n',
    )
    script = read(path)
    assert reported(script) == [("include-circle", "one.cfg", 3)]
    assert [each[0] for each in loaded(script)] == ["a", "b"]


def test_a_file_that_includes_itself_by_a_link_is_a_cycle(tmp_path: Path) -> None:
    path = write(tmp_path, main='include_file "link.cfg"\n')
    (tmp_path / "link.cfg").symlink_to(path)
    assert reported(read(path)) == [("include-circle", "main.cfg", 1)]


def test_a_link_to_itself_is_a_missing_file(tmp_path: Path) -> None:
    path = write(tmp_path, main='include_file "link.cfg"\n')
    (tmp_path / "link.cfg").symlink_to(tmp_path / "link.cfg")
    assert reported(read(path)) == [("include-missing", "main.cfg", 1)]


@pytest.mark.parametrize("name", ["../secret.cfg", "link.cfg", "/etc/hostname", "sub/../../secret.cfg"])
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "etc"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret.cfg").write_text('loadmodule "secret"\n')
    (folder / "link.cfg").symlink_to(tmp_path / "secret.cfg")
    script = read(write(folder, main=f'\ninclude_file "{name}"\n'))
    assert reported(script) == [("include-outside", "main.cfg", 2)]
    assert loaded(script) == []


def test_a_wider_folder_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    write(tmp_path, other='loadmodule "a"\n')
    path = write(tmp_path / "etc", main='include_file "../other.cfg"\n')
    assert loaded(read(path, tmp_path)) == [("a", "other.cfg", 1)]


def test_a_first_file_outside_of_the_chosen_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    script = read(write(tmp_path, main='loadmodule "a"\n'), tmp_path / "etc")
    assert (script.items, reported(script)) == ((), [("include-outside", "main.cfg", 1)])


def test_a_first_file_that_is_missing_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone.cfg")


def test_a_binary_include_is_reported_and_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, main='include_file "one.cfg"\nloadmodule "a"\n')
    (tmp_path / "one.cfg").write_bytes(b"\x7fELF\0\0")
    script = read(path)
    assert reported(script) == [("binary", "one.cfg", 1)]
    assert loaded(script) == [("a", "main.cfg", 2)]


def test_no_more_than_a_number_of_files_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAXIMUM_FILES", 3)
    path = write(tmp_path, main='include_file "one.cfg"\n' * 5, one='loadmodule "a"\n')
    script = read(path)
    assert reported(script) == [("too-large", "main.cfg", 3)]
    assert len(list(script.modules)) == 2


def test_includes_that_multiply_are_cut_at_a_number_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAXIMUM_CHARACTERS", 200)
    path = write(tmp_path, main='include_file "one.cfg"\n' * 3, one='loadmodule "a"\n' * 5)
    script = read(path)
    assert [each[0] for each in reported(script)] == ["too-large"]
    assert 5 <= len(list(script.modules)) <= 13


def test_includes_go_no_deeper_than_the_proxy_takes_them(tmp_path: Path) -> None:
    texts = {f"f{each}": f'include_file "f{each + 1}.cfg"\n' for each in range(60)}
    assert reported(read(write(tmp_path, **texts))) == [("nested-too-deep", "f50.cfg", 1)]


def test_a_text_without_its_folder_names_the_includes_it_lacks() -> None:
    script = read_text(
        'loadmodule "a"\ninclude_file "b.cfg"\n\nimport_file "c.cfg"\nloadmodule "d"', "pasted"
    )
    assert script.findings == (
        ScriptFinding(
            ScriptSeverity.HINT,
            "include-not-read",
            Location("pasted", 2),
            "b.cfg was not read: pasted text has no folder.",
        ),
        ScriptFinding(
            ScriptSeverity.HINT,
            "include-not-read",
            Location("pasted", 4),
            "c.cfg was not read: pasted text has no folder.",
        ),
    )
    assert loaded(script) == [("a", "pasted", 1), ("d", "pasted", 5)]


@pytest.mark.parametrize("data", [b"\0", b"MZ\x90\0\x03", b'loadmodule "a"\n\0', b"\x01\x02\x03\xff", "a\0b"])
def test_a_binary_text_is_one_finding_and_nothing_else(data: bytes | str) -> None:
    script = read_text(data, "uploaded")
    assert (script.items, script.skipped, reported(script)) == ((), 0, [("binary", "uploaded", 1)])


@pytest.mark.parametrize(
    "data",
    [
        '# Größe\nloadmodule "a"\n'.encode(),
        '# Größe\nloadmodule "a"\n'.encode("latin-1"),
        b'\xef\xbb\xbf\r\nloadmodule "a"\r\n',
        '# Größe\nloadmodule "a"\n',
        '# \ud800\nloadmodule "a"\n',
    ],
)
def test_a_text_of_any_encoding_and_line_ends_is_read(data: bytes | str) -> None:
    script = read_text(data, "uploaded")
    assert (reported(script), loaded(script)) == ([], [("a", "uploaded", 2)])
