"""Proxies that play on loopback, as the operations' tests have them; a folder for uploads."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.operations.conftest import play

__all__ = ["play"]


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of uploads."""
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return tmp_path / "uploads"
