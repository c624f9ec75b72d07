"""The password in an `fs://[user]:password@host[:port]` weight (FreeSWITCH load as weight, OpenSIPS 3.x)."""

import re

MASK = "•••"
_FS_PASSWORD = re.compile(r"^(fs://[^@:]*:)([^@]*)(@)", re.IGNORECASE | re.DOTALL)


def mask_weight(weight: str) -> str:
    """The weight with the password of an `fs://` URL replaced by dots; any other weight as it is."""
    return _FS_PASSWORD.sub(rf"\1{MASK}\3", weight) if "@" in weight else weight


def is_masked(weight: str) -> bool:
    """Whether `weight` has the mask instead of a password."""
    return MASK in weight
