"""The environment's settings, one at a time: each from NAME or from the file that NAME_FILE names.

environs does the same, with two more packages, 0.3 s to import in every command, " 7_0 " taken as a number,
and messages that would all have to be reworded: one setting, one line for people, is what these commands
print.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_SIZE = re.compile("([1-9][0-9]{0,5})([KMG])", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


class ConfigurationError(Exception):
    """A setting that can't be used; the message is one line for people and names the setting."""


class Settings:
    """The environment's settings by name, each from NAME or from the file that NAME_FILE names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        """The setting's text, `default` where it is not set or empty."""
        value = self._environ.get(name, "")
        path = self._environ.get(f"{name}_FILE", "")
        if value and path:
            raise ConfigurationError(f"{name} and {name}_FILE are both set; set only one.")
        if path:
            value = _read_file(f"{name}_FILE", path)
        return value or default

    def is_set(self, name: str) -> bool:
        """Whether the setting is given in either way."""
        return bool(self._environ.get(name) or self._environ.get(f"{name}_FILE"))

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """The setting as a whole number between the limits."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
            raise ConfigurationError(f"{name} is {text!r}; it must be a whole number from {least} to {most}.")
        return int(text)

    def size(self, name: str, default: str) -> int:
        """The setting as a number of bytes: a whole number of K, M or G (powers of ten)."""
        text = self.text(name, default)
        match = _SIZE.fullmatch(text)
        if not match:
            raise ConfigurationError(f"{name} is {text!r}; it must be a size such as 500M or 2G.")
        return int(match[1]) * _SIZE_UNITS[match[2].upper()]

    def flag(self, name: str, *, default: bool) -> bool:
        """The setting as yes or no."""
        text = self.text(name).lower()
        if text in {"1", "yes", "true", "on"}:
            return True
        if text in {"0", "no", "false", "off"}:
            return False
        if text:
            raise ConfigurationError(f"{name} is {text!r}; it must be 1 or 0.")
        return default


def _read_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not valid UTF-8"
        raise ConfigurationError(f"{name} names {path}, which can't be read: {reason}.") from None
