"""What a site is deployed with: no secret in a file of the repository, and nobody is root."""

import re
import subprocess
from pathlib import Path

import pytest

from efcp.configuration import PROJECT_DIR
from efcp.script.checking.check import check
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.writing.answers import Answers
from efcp.script.writing.script import write
from tests.proxies.mi_server import FakeMi

DOCKERFILE = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8")
PROXY = (PROJECT_DIR / "docs" / "deploy" / "opensips.cfg").read_text(encoding="utf-8")
README = (PROJECT_DIR / "README.md").read_text(encoding="utf-8")
PROXY_IS_ALIVE = PROJECT_DIR / "docs" / "deploy" / "opensips-alive"
FILLED_IN_BY = PROJECT_DIR / "docs" / "deploy" / "opensips-with-secrets"
STAGES_THAT_RUN = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[2:]


def test_every_image_that_runs_has_a_user_of_its_own() -> None:
    users = [re.findall(r"^USER (\S+)", stage, re.MULTILINE) for stage in STAGES_THAT_RUN]
    assert users == [["opensips"], ["efcp"]]


def test_every_secret_of_the_compose_file_is_a_file_that_git_ignores() -> None:
    given = re.findall(r"^ +(\w*(?:PASSWORD|SECRET|DATABASE_URL)\w*): (\S+)", COMPOSE, re.MULTILINE)
    assert {value for name, value in given if name.endswith("_FILE")} == {
        "/run/secrets/database_url",
        "/run/secrets/secret_key",
        "/run/secrets/admin_password",
        "/run/secrets/db_password",
    }
    assert [name for name, _value in given if not name.endswith("_FILE")] == ["MARIADB_RANDOM_ROOT_PASSWORD"]
    assert "secrets/" in (PROJECT_DIR / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_proxy_s_configuration_holds_a_place_for_the_password_only() -> None:
    urls = re.findall(r'"mysql://([^"]*)"', PROXY)
    assert urls == ["opensips:@DB_PASSWORD@@mariadb/opensips"] * 2


def test_the_password_is_filled_in_as_it_is_without_being_an_argument(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a&b", encoding="utf-8")
    script = FILLED_IN_BY.read_text(encoding="utf-8")
    script = script.replace("/run/secrets/db_password", str(tmp_path / "password"))
    filled = subprocess.run(["sh", "-c", script], input=PROXY, capture_output=True, text=True, check=True)
    assert filled.stdout == PROXY.replace("@DB_PASSWORD@", "a&b")


def test_a_proxy_that_answers_mi_is_alive_and_one_that_does_not_is_not() -> None:
    proxy = FakeMi()
    proxy.start()
    port = proxy.url.removesuffix("/mi").rsplit(":", 1)[1]
    answering = subprocess.run([PROXY_IS_ALIVE, port], check=False).returncode
    proxy.stop()
    gone = subprocess.run([PROXY_IS_ALIVE, port], check=False).returncode
    assert (answering, gone) == (0, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_panel_s_own_check_finds_nothing_in_what_is_shipped(version: str) -> None:
    checked = check(read_text(PROXY, "opensips.cfg"), knowledge_of(version))
    assert checked.findings == ()
    assert {finding.code for finding in checked.accepted} <= {"mi-open", "threshold-low"}


def test_the_shipped_proxy_fits_the_readme_and_any_architecture() -> None:
    in_readme = re.findall(
        r'^ *(modparam\("httpd", "buf_size", \d+\)|loadmodule "\w+\.so")', README, re.MULTILINE
    )
    assert len(in_readme) == 4
    assert [line for line in in_readme if line not in PROXY] == []
    assert "linux-gnu" not in PROXY
    assert re.findall(r'^mpath="(.*)/"$', PROXY, re.MULTILINE) == re.findall(
        r"modules (/\S+/modules)$", DOCKERFILE, re.M
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_written_proxy_has_what_the_readme_requires(version: str) -> None:
    written = write(Answers(version=version, minimal=True)).text
    required = re.findall(r'^ *(loadmodule "\w+\.so")', README, re.MULTILINE)
    assert len(required) == 3
    assert [line for line in required if line not in written] == []
