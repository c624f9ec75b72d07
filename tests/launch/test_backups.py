"""Backups: every row comes back as it was, or nothing is changed; and another secret key."""

import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import BinaryField
from django.utils import timezone
from pytest_django.fixtures import Settings

from dispatcher.models import Destination
from efcp.accounts.factors import FactorAdapter
from efcp.accounts.models import User
from efcp.audit.models import AuditRecord
from efcp.launch import backups
from efcp.launch.secret_key import ENCRYPTED_COLUMNS
from efcp.operations.alerts.models import NotificationRule
from efcp.proxies.mi_password import encrypt
from efcp.proxies.models import LoadedRows, Proxy, WatcherHeartbeat
from tests.factories import (
    DestinationFactory,
    KnownDestinationFactory,
    ProxyContactFactory,
    ProxyFactory,
    RuleFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> None:
    """The folder that keeps what was before a restore."""
    settings.CONFIGURATION = replace(settings.CONFIGURATION, data_dir=tmp_path)


@pytest.fixture
def filled() -> None:
    """Rows of many kinds: of OpenSIPS, encrypted, binary, with dates, NULL and odd text."""
    proxy = ProxyFactory.create(mi_password_encrypted=encrypt("secret of edge-1"))
    ProxyContactFactory.create(proxy=proxy)
    KnownDestinationFactory.create(proxy=proxy)
    LoadedRows.objects.create(digest="of these bytes", rows=bytes(range(256)))
    UserFactory.create()
    DestinationFactory.create(description="'; DROP TABLE dispatcher; -- \\ \" %s")
    RuleFactory.create()
    WatcherHeartbeat.objects.all().delete()


def everything() -> dict[str, list[Any]]:
    """All rows of all tables that a backup holds, but for the records of restores."""
    return {
        model._meta.label: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._base_manager.order_by("pk").values()
            if row.get("action") != "restore"
        ]
        for model in backups._models()
    }


def command(*words: object) -> str:
    output = StringIO()
    call_command(*(str(word) for word in words), stdout=output)
    return output.getvalue()


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one file of a backup by hand."""
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, change(content) if each == name else content)


def with_manifest(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.usefixtures("filled")
def test_every_row_comes_back_as_it_was_and_what_was_before_is_kept(tmp_path: Path) -> None:
    before, backup = everything(), tmp_path / "efcp.zip"
    command("backup", backup)
    Destination.objects.all().delete()
    Proxy.objects.update(name="renamed")
    UserFactory.create(username="later")
    between = everything()
    assert "Restored" in command("restore", backup, "--yes")
    assert everything() == before
    assert AuditRecord.objects.filter(action="restore").count() == 1
    (former,) = tmp_path.glob("before-restore-*.zip")
    AuditRecord.objects.all().delete()
    command("restore", former, "--yes")
    assert everything() == between


@pytest.mark.usefixtures("filled")
def test_a_backup_of_the_panel_alone_leaves_opensips_s_tables_as_they_are(tmp_path: Path) -> None:
    command("backup", tmp_path / "efcp.zip", "--panel-only")
    Destination.objects.all().delete()
    User.objects.all().delete()
    command("restore", tmp_path / "efcp.zip", "--yes")
    assert (Destination.objects.count(), User.objects.count()) == (0, 1)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cut off or damaged"),
    "no backup": (lambda path: path.write_bytes(b"SELECT 1;"), "is no backup"),
    "missing": (lambda path: path.unlink(), "No such file"),
    "another file": (lambda path: rewritten(path, backups.MANIFEST, lambda _: b"[]"), "can't be read"),
    "a changed row": (
        lambda path: rewritten(path, "tables/accounts.User", lambda text: text.replace(b"viewer", b"evil")),
        "accounts.User is not as it was written",
    ),
    "a changed manifest": (
        lambda path: rewritten(path, backups.MANIFEST, with_manifest(tables={})),
        "signature is wrong",
    ),
    "another key": (
        lambda path: rewritten(path, backups.MANIFEST, with_manifest(key="0123456789abcdef")),
        "another EFCP_SECRET_KEY",
    ),
}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_or_of_another_key_changes_nothing(damage: str, tmp_path: Path) -> None:
    act, reason = DAMAGES[damage]
    command("backup", tmp_path / "efcp.zip")
    act(tmp_path / "efcp.zip")
    before = everything()
    with pytest.raises(CommandError, match=reason):
        command("restore", tmp_path / "efcp.zip", "--yes")
    assert everything() == before


@pytest.mark.parametrize(("app", "reason"), [("of_tomorrow", "tables are newer"), ("", "tables are older")])
def test_a_backup_of_other_tables_names_the_version_to_install(
    app: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = backups._applied()
    other = applied | {f"{app}.0001"} if app else frozenset(sorted(applied)[1:])
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_applied", lambda: other)
        command("backup", tmp_path / "efcp.zip")
    with pytest.raises(CommandError, match=reason):
        command("restore", tmp_path / "efcp.zip", "--yes")


def test_while_the_panel_runs_nothing_is_restored(tmp_path: Path) -> None:
    command("backup", tmp_path / "efcp.zip")
    WatcherHeartbeat.objects.create(started_at=timezone.now(), beat_at=timezone.now())
    with pytest.raises(CommandError, match="stop it first"):
        command("restore", tmp_path / "efcp.zip", "--yes")


def test_without_a_terminal_or_yes_nothing_is_restored_and_no_file_is_overwritten(tmp_path: Path) -> None:
    command("backup", tmp_path / "efcp.zip")
    with pytest.raises(CommandError, match="--yes"):
        command("restore", tmp_path / "efcp.zip")
    with pytest.raises(CommandError, match="exists already"):
        command("backup", tmp_path / "efcp.zip")
    assert (tmp_path / "efcp.zip").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part"))


def test_a_backup_shows_one_moment_and_lets_others_write(tmp_path: Path) -> None:
    def add() -> None:
        UserFactory.create(username="meanwhile")
        connection.close()

    with backups._snapshot():
        assert User.objects.count() == 0
        other = threading.Thread(target=add)
        other.start()
        other.join(60)
        assert not other.is_alive()
        assert User.objects.count() == 0
    assert User.objects.count() == 1


def test_with_another_key_secrets_are_encrypted_anew(settings: Settings) -> None:
    rule = NotificationRule(name="on call", since=timezone.now())
    rule.url = "https://hooks.example.org/abc"
    rule.save()
    ProxyFactory.create(mi_password_encrypted=encrypt("secret of edge-1"))
    user = UserFactory.create()
    adapter = FactorAdapter()
    Authenticator.objects.create(user=user, type="totp", data={"secret": adapter.encrypt("ABCDEF")})
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of at least 32 characters"
    assert "3 secrets encrypted" in command("changekey")
    settings.SECRET_KEY_FALLBACKS = []
    assert Proxy.objects.get().mi_password() == "secret of edge-1"
    assert NotificationRule.objects.get().url == "https://hooks.example.org/abc"
    assert adapter.decrypt(Authenticator.objects.get().data["secret"]) == "ABCDEF"
    with pytest.raises(CommandError, match="EFCP_FORMER_SECRET_KEY"):
        command("changekey")


def test_a_change_of_the_key_knows_every_encrypted_column() -> None:
    encrypted = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField) and field.name.endswith("_encrypted")
    }
    assert encrypted == {(model._meta.label, column) for model, column, _purpose in ENCRYPTED_COLUMNS}
