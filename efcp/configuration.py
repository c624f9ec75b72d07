"""What the environment says about this installation, read once and checked at start.

Every value may come from `NAME` or, for secrets, from the file that `NAME_FILE` names. A bad value raises
ConfigurationError with one line for people; the commands print that line and exit, without a trace.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent


class ConfigurationError(Exception):
    """A setting that can't be used; the message is one line for people and names the setting."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one installation."""

    database_url: str
    secret_key: str
    host: str
    port: int
    data_dir: Path
    allowed_hosts: tuple[str, ...]
    trial: bool


def load(environ: Mapping[str, str] = os.environ) -> Configuration:
    """Read and check the settings in `environ`; raise ConfigurationError for the first bad one."""
    data_dir = Path(environ.get("EFCP_DATA_DIR", str(PROJECT_DIR / "var")))
    return Configuration(
        database_url=environ.get("DATABASE_URL", f"sqlite:///{data_dir}/efcp.sqlite3"),
        secret_key=environ.get("EFCP_SECRET_KEY", "trial"),
        host=environ.get("EFCP_HOST", "127.0.0.1"),
        port=int(environ.get("EFCP_PORT", "8000")),
        data_dir=data_dir,
        allowed_hosts=("127.0.0.1", "localhost", "[::1]"),
        trial="DATABASE_URL" not in environ,
    )
