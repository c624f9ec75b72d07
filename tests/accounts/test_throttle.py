"""The pace at which passwords may be tried."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from efcp.accounts import signing_in, throttle
from efcp.accounts.models import FailedLogins, User
from efcp.accounts.roles import Role
from efcp.accounts.throttle import (
    ACCOUNT_PACE,
    ADDRESS_PACE,
    LoginAttempt,
    Throttled,
    count_attempt,
    prune_failed_logins,
    reset_failures,
)
from efcp.audit.models import AuditRecord
from tests.accounts.conftest import PASSWORD, Try

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADDRESS = "192.0.2.1"


def wait(result: LoginAttempt | Throttled) -> int:
    return result.wait if isinstance(result, Throttled) else 0


def tries(number: int, username: str = "ada", address: str = ADDRESS, now: datetime = NOW) -> datetime:
    """Try wrongly so often, each time as early as is allowed; return when the last one was."""
    for _ in range(number):
        result = count_attempt(username, address, now)
        if isinstance(result, Throttled):
            now += timedelta(seconds=result.wait)
            count_attempt(username, address, now)
    return now


def from_everywhere(number: int, username: str = "ada") -> None:
    """Try wrongly so often for one account, each time from another address."""
    for last in range(number):
        count_attempt(username, f"198.51.100.{last}", NOW)


@pytest.mark.django_db
class TestWhatIsStored:
    def test_the_rows_are_limited_for_any_number_of_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(throttle, "ACCOUNTS", 16)
        for number in range(200):
            count_attempt(f"name-{number}", f"198.51.100.{number % 5}", NOW)

        assert FailedLogins.objects.count() <= 16 + 5

    def test_however_many_addresses_try_the_rows_are_limited_and_the_latest_stay(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(throttle, "MOST_ROWS", 40)
        for number in range(200):
            count_attempt("ada", f"198.51.100.{number}", NOW + timedelta(minutes=number))

        assert FailedLogins.objects.count() <= 40
        assert FailedLogins.objects.filter(pk="address:198.51.100.199").exists()

    def test_however_many_throttles_begin_the_records_are_limited(
        self, monkeypatch: pytest.MonkeyPatch, make_user: Callable[..., User], try_sign_in: Try
    ) -> None:
        monkeypatch.setattr(signing_in, "RECORDS_AN_HOUR", 3)
        for number in range(8):
            for last in range(ACCOUNT_PACE.free + 1):
                try_sign_in(f"name-{number}", "wrong", address=f"203.0.113.{last}")

        assert AuditRecord.objects.filter(action="throttle").count() == 3


@pytest.mark.django_db
class TestPerAccount:
    def test_the_first_wrong_tries_cost_nothing(self) -> None:
        from_everywhere(ACCOUNT_PACE.free)

        assert isinstance(count_attempt("ada", ADDRESS, NOW), LoginAttempt)

    def test_then_the_next_must_wait_wherever_it_comes_from(self) -> None:
        from_everywhere(ACCOUNT_PACE.free + 1)

        assert count_attempt("ada", ADDRESS, NOW) == Throttled(2)

    def test_capital_letters_do_not_make_another_account(self) -> None:
        from_everywhere(ACCOUNT_PACE.free + 1, "ada")

        assert isinstance(count_attempt("ADA", ADDRESS, NOW), Throttled)

    def test_another_account_is_not_slowed_down(self) -> None:
        from_everywhere(ACCOUNT_PACE.free + 1)

        assert isinstance(count_attempt("bob", ADDRESS, NOW), LoginAttempt)

    def test_a_browser_that_the_user_signed_in_with_before_counts_apart(self) -> None:
        from_everywhere(50)

        assert isinstance(count_attempt("ada", ADDRESS, NOW, "0123"), LoginAttempt)

    def test_a_try_that_comes_too_early_does_not_prolong_the_wait(self) -> None:
        from_everywhere(ACCOUNT_PACE.free + 1)
        for _ in range(100):
            count_attempt("ada", ADDRESS, NOW + timedelta(seconds=1))

        assert isinstance(count_attempt("ada", ADDRESS, NOW + timedelta(seconds=2)), LoginAttempt)

    def test_a_right_password_starts_the_count_anew(self) -> None:
        counted = [count_attempt("ada", ADDRESS, NOW) for _ in range(ACCOUNT_PACE.free)][-1]
        assert isinstance(counted, LoginAttempt)
        reset_failures(counted)

        from_everywhere(ACCOUNT_PACE.free)

        assert isinstance(count_attempt("ada", "203.0.113.1", NOW), LoginAttempt)


@pytest.mark.django_db
class TestPerAddress:
    def names(self, number: int, address: str = ADDRESS) -> None:
        for index in range(number):
            count_attempt(f"name-{index}", address, NOW)

    def test_many_names_from_one_address_are_slowed_down(self) -> None:
        self.names(ADDRESS_PACE.free + 1)

        assert count_attempt("ada", ADDRESS, NOW) == Throttled(2)

    def test_another_address_is_not(self) -> None:
        self.names(ADDRESS_PACE.free + 1)

        assert isinstance(count_attempt("ada", "192.0.2.2", NOW), LoginAttempt)

    def test_one_ipv6_site_is_one_address(self) -> None:
        for index in range(ADDRESS_PACE.free + 1):
            count_attempt(f"name-{index}", f"2001:db8:1:2::{index:x}", NOW)

        assert isinstance(count_attempt("ada", "2001:db8:1:2:ffff::1", NOW), Throttled)
        assert isinstance(count_attempt("ada", "2001:db8:1:3::1", NOW), LoginAttempt)

    def test_one_s_own_right_password_does_not_buy_guesses_at_others(self) -> None:
        self.names(ADDRESS_PACE.free)
        own = count_attempt("mallory", ADDRESS, NOW)
        assert isinstance(own, LoginAttempt)
        reset_failures(own)

        assert isinstance(count_attempt("ada", ADDRESS, NOW + timedelta(seconds=2)), LoginAttempt)
        assert isinstance(count_attempt("ada", ADDRESS, NOW + timedelta(seconds=2)), Throttled)

    def test_a_right_password_takes_its_own_try_back_from_the_address(self) -> None:
        for index in range(ADDRESS_PACE.free + 5):
            counted = count_attempt(f"name-{index}", ADDRESS, NOW)
            assert isinstance(counted, LoginAttempt), "an office behind one address signs in without a wait"
            reset_failures(counted)

    def test_an_unknown_address_is_an_address_too(self) -> None:
        self.names(ADDRESS_PACE.free + 1, "")

        assert isinstance(count_attempt("ada", "", NOW), Throttled)


@pytest.mark.parametrize("pace", [ACCOUNT_PACE, ADDRESS_PACE])
def test_the_wait_doubles_up_to_a_limit(pace: object) -> None:
    assert isinstance(pace, type(ACCOUNT_PACE))
    waits = [pace.wait_after(pace.free + beyond) for beyond in range(8)]

    assert waits[:6] == [0, 2, 4, 8, 16, 32]
    assert pace.wait_after(10**6) == pace.longest_wait


@pytest.mark.django_db
class TestTime:
    def test_nobody_is_ever_locked_out_for_longer_than_the_limit(self) -> None:
        last = tries(60)

        later = last + timedelta(seconds=max(ACCOUNT_PACE.longest_wait, ADDRESS_PACE.longest_wait))

        assert isinstance(count_attempt("ada", ADDRESS, later), LoginAttempt)

    def test_a_day_without_wrong_tries_is_a_new_beginning(self) -> None:
        last = tries(60)
        tomorrow = last + timedelta(hours=24, seconds=1)

        assert [wait(count_attempt("ada", ADDRESS, tomorrow)) for _ in range(ACCOUNT_PACE.free + 1)] == [
            0
        ] * 6

    def test_a_clock_that_was_set_back_locks_nobody_out(self) -> None:
        from_everywhere(ACCOUNT_PACE.free + 1)

        assert count_attempt("ada", ADDRESS, NOW - timedelta(days=400)) == Throttled(2)

    def test_old_counts_are_thinned_and_young_ones_stay(self) -> None:
        count_attempt("ada", ADDRESS, NOW)
        count_attempt("bob", "192.0.2.2", NOW + timedelta(hours=20))

        assert prune_failed_logins(NOW + timedelta(hours=25)) == 2
        assert FailedLogins.objects.count() == 2


@pytest.mark.django_db
def test_no_name_is_stored_in_the_counts() -> None:
    count_attempt("hunter2-typed-into-the-name", ADDRESS, NOW)

    assert "hunter2" not in str(list(FailedLogins.objects.values()))


class TestPages:
    """The same over HTTP, where the clock is the server's: tries follow each other within a wait of 2 s."""

    def slowed_down(self, try_sign_in: Try, name: str) -> str:
        for last in range(ACCOUNT_PACE.free + 1):
            response = try_sign_in(name, "wrong", address=f"198.51.100.{last}")
        return response.content.decode()

    @pytest.mark.parametrize("name", ["ada", "eve"])
    def test_the_last_free_attempt_shows_how_long_to_wait(
        self, name: str, try_sign_in: Try, make_user: Callable[..., User]
    ) -> None:
        make_user(Role.VIEWER, "ada")

        page = self.slowed_down(try_sign_in, name)

        assert "Wrong user name or password. Wait 2 seconds before you try again." in page

    @pytest.mark.parametrize("name", ["ada", "eve"])
    def test_a_try_too_early_is_refused_alike_whether_the_name_exists(
        self, name: str, try_sign_in: Try, make_user: Callable[..., User]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        for _ in range(12):
            response = try_sign_in(name, PASSWORD if name == "eve" else "wrong")
            if response.status_code == 429:
                break

        assert re.search(
            r"Too many failed attempts. Wait \d+ seconds?, then try again.",
            response.content.decode(),
        )
        assert int(response.headers["Retry-After"]) > 0

    def test_the_right_password_too_early_does_not_sign_in(
        self, try_sign_in: Try, make_user: Callable[..., User], is_signed_in: Callable[[Client], bool]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        FailedLogins.objects.all().delete()
        self.slowed_down(try_sign_in, "ada")
        FailedLogins.objects.update(count=100)
        client = Client()

        response = try_sign_in("ada", PASSWORD, client=client)

        assert response.status_code == 429
        assert not is_signed_in(client)

    def test_signing_in_starts_the_account_s_count_again_and_not_the_address_s(
        self, try_sign_in: Try, make_user: Callable[..., User]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        FailedLogins.objects.all().delete()
        for password in ("wrong", "wrong", PASSWORD):
            try_sign_in("ada", password, address=ADDRESS)

        counts = {
            key.partition(":")[0]: count for key, count in FailedLogins.objects.values_list("key", "count")
        }
        assert counts == {"account": 0, "address": 2}

    def test_the_user_s_own_browser_gets_in_while_others_guess(
        self, try_sign_in: Try, make_user: Callable[..., User]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        own = Client()
        try_sign_in("ada", PASSWORD, client=own)
        own.post("/cp/accounts/sign-out/")
        self.slowed_down(try_sign_in, "ada")
        FailedLogins.objects.update(count=100)
        FailedLogins.objects.filter(key__startswith="address:").delete()

        assert try_sign_in("ada", PASSWORD, client=own).status_code == 302

    def test_a_forged_browser_cookie_is_as_good_as_none(self, try_sign_in: Try) -> None:
        client = Client()
        client.cookies["efcp_browser"] = "WyJhIiwiYiJd:1abcde:forged"
        for last in range(ACCOUNT_PACE.free + 1):
            try_sign_in("ada", "wrong", client=client, address=f"198.51.100.{last}")

        assert try_sign_in("ada", "wrong").status_code == 429

    def test_the_client_behind_a_trusted_proxy_is_slowed_down_and_not_the_proxy(
        self, db: None, settings: Settings
    ) -> None:
        from ipaddress import ip_network

        settings.EFCP_TRUSTED_PROXIES = (ip_network("10.0.0.1/32"),)

        def attempt(name: str, client_address: str) -> int:
            return (
                Client()
                .post(
                    "/cp/accounts/sign-in/",
                    {"username": name, "password": "wrong"},
                    REMOTE_ADDR="10.0.0.1",
                    HTTP_X_FORWARDED_FOR=client_address,
                )
                .status_code
            )

        for index in range(ADDRESS_PACE.free + 1):
            attempt(f"name-{index}", "203.0.113.5")

        assert attempt("ada", "203.0.113.5") == 429
        assert attempt("ada", "203.0.113.6") == 422

    @pytest.mark.parametrize("name", ["ada", "eve"])
    def test_one_record_shows_that_an_account_is_slowed_down(
        self, name: str, try_sign_in: Try, make_user: Callable[..., User]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        self.slowed_down(try_sign_in, name)
        for _ in range(5):
            try_sign_in(name, "wrong")

        columns = ("action", "actor", "subject_kind", "subject_label")
        records = AuditRecord.objects.exclude(action="sign in failed").values_list(*columns)

        assert list(records) == [("throttle", "", "sign-in account", name)]


@pytest.mark.django_db
def test_guessing_from_many_addresses_at_many_accounts_gets_no_more_tries_than_the_pace() -> None:
    tries, addresses, accounts, span_s = 400, 100, 2, 3600
    checked: Counter[str] = Counter()
    for number in range(tries):
        name, now = f"user-{number % accounts}", NOW + timedelta(seconds=span_s * number / tries)
        attempt = count_attempt(name, f"198.51.100.{number // accounts % addresses}", now)
        checked[name] += isinstance(attempt, LoginAttempt)
        if number % 50 == 0:  # the user, in a browser of theirs and with the right password
            own = count_attempt(name, "192.0.2.1", now, browser=name)
            assert isinstance(own, LoginAttempt)
            reset_failures(own)
    pace = throttle.ACCOUNT_PACE
    most = pace.free + pace.longest_wait.bit_length() + span_s // pace.longest_wait + 1
    assert max(checked.values()) <= most
