"""MI passwords at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from efcp.proxies.mi_password import UnreadablePasswordError, decrypt, encrypt


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=128))
def test_a_password_comes_back(password: str) -> None:
    assert decrypt(encrypt(password)) == password


def test_no_password_is_no_token() -> None:
    assert encrypt("") == b""


def test_the_token_does_not_show_the_password() -> None:
    assert b"opensipsrw" not in encrypt("opensipsrw")


def test_another_secret_key_can_not_read_it(settings: Settings) -> None:
    token = encrypt("secret")
    settings.SECRET_KEY = "another"
    with pytest.raises(UnreadablePasswordError):
        decrypt(token)


def test_a_former_secret_key_still_reads_it(settings: Settings) -> None:
    token = encrypt("secret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert decrypt(token) == "secret"


def test_garbage_is_distinguished_from_a_password() -> None:
    with pytest.raises(UnreadablePasswordError):
        decrypt(b"garbage")
