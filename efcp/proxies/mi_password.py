"""MI passwords, and other secrets, at rest: Fernet tokens under a key of the installation's secret key.

The key is HKDF-SHA256 (RFC 5869) of SECRET_KEY with a label for each purpose, so that no other use of the
secret key can read the tokens. SECRET_KEY_FALLBACKS are tried for reading, as Django does for its signatures.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"efcp: MI passwords of proxies"


class UnreadablePasswordError(Exception):
    """The stored token can't be read with this installation's secret key."""


def encrypt(password: str, purpose: bytes = PURPOSE) -> bytes:
    """The token to store for `password`; empty for an empty password."""
    if not password:
        return b""
    return _box(purpose).encrypt(password.encode())


def decrypt(token: bytes, purpose: bytes = PURPOSE) -> str:
    """The password of a token that `encrypt` made; raise UnreadablePasswordError under another secret key."""
    if not token:
        return ""
    try:
        return _box(purpose).decrypt(token).decode()
    except (InvalidToken, UnicodeDecodeError) as error:
        raise UnreadablePasswordError from error


def _box(purpose: bytes) -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([_fernet(secret, purpose) for secret in secrets])


@lru_cache(maxsize=8)
def _fernet(secret: str, purpose: bytes) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
