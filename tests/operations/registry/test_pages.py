"""The proxies' pages: who may do what, what is stored, what is never shown."""

import re
import threading
from collections.abc import Callable
from html import unescape
from ipaddress import ip_network

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.proxies.mi_password import decrypt, encrypt
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, WatcherHeartbeat
from efcp.proxies.watch import Watcher
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.proxies.mi_server import FakeMi, listed
from tests.tokens import fresh

HOSTILE = "<script>alert(1)</script>\"'{{ 7|add:7 }}"

NEW = {
    "name": "edge-9",
    "mi_url": "http://127.0.0.1:1/mi",
    "mi_username": "",
    "mi_password": "",
    "partition": "default",
    "enabled": "on",
}


def token_in_page(page: str) -> str:
    """The edit token that the page's form carries."""
    return re.search(r'name="original" value="(\w+)"', page)[1]  # type: ignore[index]


def edited(client: Client, proxy: Proxy, **changes: str) -> dict[str, str]:
    """The edit form of `proxy` as a browser would send it, with `changes`."""
    page = client.get(reverse("proxies:edit", args=[proxy.pk])).content.decode()
    sent = {
        "name": proxy.name,
        "mi_url": proxy.mi_url,
        "mi_username": proxy.mi_username,
        "mi_password": "",
        "partition": proxy.partition,
        "enabled": "on",
        "original": token_in_page(page),
        **changes,
    }
    return {
        name: value for name, value in sent.items() if value or name not in {"enabled", "remove_password"}
    }


PAGES = [
    ("get", "list", False, {None: 302, Role.VIEWER: 200, Role.OPERATOR: 200, Role.ADMINISTRATOR: 200}),
    ("get", "add", False, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 200}),
    ("post", "add", False, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 422}),
    ("get", "edit", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 200}),
    ("post", "edit", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 422}),
    ("get", "delete", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 200}),
    ("post", "delete", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 302}),
    ("post", "test", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 200, Role.ADMINISTRATOR: 200}),
    ("get", "test", True, {None: 302, Role.VIEWER: 405, Role.OPERATOR: 405, Role.ADMINISTRATOR: 405}),
    ("post", "try-new", False, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 422}),
    ("post", "try-edited", True, {None: 302, Role.VIEWER: 403, Role.OPERATOR: 403, Role.ADMINISTRATOR: 422}),
]


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize(("method", "page", "of_proxy", "expected"), PAGES)
def test_each_page_answers_each_role_as_it_should(
    client_as: ClientAs,
    proxy: Proxy,
    method: str,
    page: str,
    of_proxy: bool,
    expected: dict[Role | None, int],
    role: Role | None,
) -> None:
    address = reverse(f"proxies:{page}", args=[proxy.pk] if of_proxy else [])
    data = fresh(Proxy, proxy.pk) if method == "post" else None
    response = getattr(client_as(role), method)(address, data)
    assert response.status_code == expected[role]
    if expected[role] == 302 and role is None:
        assert response["Location"].startswith(reverse("accounts:sign-in"))
        assert Proxy.objects.exists()


@pytest.mark.parametrize("page", ["edit", "delete"])
def test_a_proxy_that_does_not_exist_is_not_found(administrator: Client, page: str) -> None:
    assert administrator.get(reverse(f"proxies:{page}", args=[4711])).status_code == 404


@pytest.mark.parametrize("page", ["add", "edit", "delete", "test", "try-new", "try-edited"])
def test_every_post_is_protected_from_other_sites(
    make_user: Callable[..., User], proxy: Proxy, page: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.ADMINISTRATOR))
    address = reverse(f"proxies:{page}", args=[] if page in {"add", "try-new"} else [proxy.pk])
    assert client.post(address, NEW).status_code == 403
    assert Proxy.objects.get().name == "edge-1"


def test_adding_stores_the_proxy_and_who_added_it(administrator: Client) -> None:
    response = administrator.post(
        reverse("proxies:add"), {**NEW, "mi_username": "u", "mi_password": "geheim"}
    )
    assert response.status_code == 302
    proxy = Proxy.objects.get()
    assert (proxy.name, proxy.mi_url, proxy.enabled) == ("edge-9", "http://127.0.0.1:1/mi", True)
    assert decrypt(bytes(proxy.mi_password_encrypted)) == "geheim"
    audit = AuditRecord.objects.get()
    assert (audit.actor, audit.action, audit.subject_kind) == ("administrator", "add", "proxy")
    assert audit.after == {
        "name": "edge-9",
        "mi_url": "http://127.0.0.1:1/mi",
        "mi_username": "u",
        "partition": "default",
        "enabled": True,
        "cluster": "",
        "probing": "",
        "mi_authority": "",
        "mi_password": "•••",
    }


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "n" * 65, "at most 64 characters"),
        ("mi_url", "", "This field is required."),
        ("mi_url", "127.0.0.1:8888/mi", "must begin with http:// or https://"),
        ("mi_url", "http://u:p@127.0.0.1/mi", "Enter user name and password in their own fields"),
        ("mi_url", "http://127.0.0.1:99999/mi", "a number from 1 to 65535"),
        ("mi_username", "a:b", "must not contain a colon"),
        ("partition", "", "This field is required."),
        ("partition", "a:b", "letters, digits, dots, hyphens and underscores"),
        ("partition", HOSTILE, "letters, digits"),
    ],
)
def test_what_can_not_be_a_proxy_is_refused_at_its_field(
    administrator: Client, field: str, value: str, message: str
) -> None:
    response = administrator.post(reverse("proxies:add"), {**NEW, field: value})
    assert response.status_code == 422
    assert message in " ".join(response.context["form"].errors[field])
    assert not Proxy.objects.exists()


def test_a_form_sent_twice_adds_one_proxy(administrator: Client) -> None:
    administrator.post(reverse("proxies:add"), NEW)
    response = administrator.post(reverse("proxies:add"), NEW)
    assert response.context["form"].errors == {"name": ["This name is taken."]}
    assert Proxy.objects.count() == 1


def test_hostile_texts_are_shown_inert_everywhere(administrator: Client) -> None:
    administrator.post(
        reverse("proxies:add"), {**NEW, "name": HOSTILE, "mi_username": HOSTILE.replace(":", "")}
    )
    proxy = Proxy.objects.get()
    ProxyContact.objects.create(proxy=proxy, error=HOSTILE, version=HOSTILE)
    for page, arguments in (("list", []), ("edit", [proxy.pk]), ("delete", [proxy.pk])):
        text = administrator.get(reverse(f"proxies:{page}", args=arguments)).content.decode()
        assert "<script>alert" not in text
        assert HOSTILE in unescape(text)


def test_an_empty_password_field_keeps_the_stored_password(administrator: Client, proxy: Proxy) -> None:
    Proxy.objects.update(mi_password_encrypted=encrypt("geheim"))
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), edited(administrator, proxy, name="renamed"))
    stored = Proxy.objects.get()
    assert (stored.name, decrypt(bytes(stored.mi_password_encrypted))) == ("renamed", "geheim")


def test_the_stored_password_can_be_removed_and_the_audit_masks_it(
    administrator: Client, proxy: Proxy
) -> None:
    Proxy.objects.update(mi_password_encrypted=encrypt("geheim"))
    sent = edited(administrator, proxy, remove_password="on")
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent)
    assert not Proxy.objects.get().has_mi_password
    audit = AuditRecord.objects.get()
    assert audit.before is not None
    assert audit.after is not None
    assert (audit.before["mi_password"], audit.after["mi_password"]) == ("•••", "")


def test_the_stored_password_is_on_no_page_and_in_no_record(administrator: Client, proxy: Proxy) -> None:
    sent = edited(administrator, proxy, mi_password="streng-geheim")
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent)
    assert decrypt(bytes(Proxy.objects.get().mi_password_encrypted)) == "streng-geheim"
    pages = [
        administrator.get(reverse("proxies:list")),
        administrator.get(reverse("proxies:edit", args=[proxy.pk])),
    ]
    pages.append(administrator.post(reverse("proxies:edit", args=[proxy.pk]), {**sent, "name": ""}))
    assert all("streng-geheim" not in page.content.decode() for page in pages)
    assert "streng-geheim" not in str(list(AuditRecord.objects.values()))


def test_a_stored_password_is_not_sent_to_another_host(
    administrator: Client, proxy: Proxy, make_mi: Callable[[], FakeMi]
) -> None:
    other = make_mi()
    Proxy.objects.update(mi_password_encrypted=encrypt("geheim"))
    sent = edited(administrator, proxy, mi_url=other.url)
    for page in ("edit", "try-edited"):
        response = administrator.post(reverse(f"proxies:{page}", args=[proxy.pk]), sent)
        assert "Enter the password again" in response.content.decode()
    assert not other.requests


def test_a_password_of_another_secret_key_must_be_entered_again(administrator: Client, proxy: Proxy) -> None:
    Proxy.objects.update(mi_password_encrypted=b"of another key")
    response = administrator.post(
        reverse("proxies:edit", args=[proxy.pk]), edited(administrator, proxy, name="renamed")
    )
    assert "can't be decrypted with EFCP_SECRET_KEY" in response.context["form"].errors["mi_password"][0]


def test_another_address_forgets_what_the_former_proxy_had_loaded(
    administrator: Client, proxy: Proxy
) -> None:
    ProxyContact.objects.create(proxy=proxy, version="3.4.18")
    sent = edited(administrator, proxy, mi_url="http://127.0.0.1:2/mi")
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent)
    assert not ProxyContact.objects.exists()


def test_a_new_name_keeps_what_the_proxy_holds(administrator: Client, proxy: Proxy) -> None:
    ProxyContact.objects.create(proxy=proxy, version="3.4.18")
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), edited(administrator, proxy, name="x"))
    assert ProxyContact.objects.exists()


def test_anothers_change_meanwhile_is_shown_and_not_overwritten(administrator: Client, proxy: Proxy) -> None:
    sent = edited(administrator, proxy, name="mine")
    Proxy.objects.update(name="theirs")
    response = administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent)
    assert response.status_code == 409
    assert "theirs" in response.content.decode()
    assert Proxy.objects.get().name == "theirs"
    assert not AuditRecord.objects.exists()


def test_anothers_new_password_meanwhile_is_not_overwritten(administrator: Client, proxy: Proxy) -> None:
    sent = edited(administrator, proxy, name="mine", mi_password="mine")
    Proxy.objects.update(mi_password_encrypted=encrypt("theirs"))
    assert administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent).status_code == 409
    assert Proxy.objects.get().mi_password() == "theirs"


def test_saved_again_after_a_conflict_the_editors_values_stand(administrator: Client, proxy: Proxy) -> None:
    sent = edited(administrator, proxy, name="mine")
    Proxy.objects.update(name="theirs")
    shown = administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent)
    again = {**sent, "original": token_in_page(shown.content.decode())}
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), again)
    assert Proxy.objects.get().name == "mine"


def test_a_forged_edit_token_saves_nothing(administrator: Client, proxy: Proxy) -> None:
    sent = edited(administrator, proxy, name="mine", original="forged")
    assert administrator.post(reverse("proxies:edit", args=[proxy.pk]), sent).status_code == 409
    assert Proxy.objects.get().name == "edge-1"


def test_saving_without_a_change_writes_no_record(administrator: Client, proxy: Proxy) -> None:
    administrator.post(reverse("proxies:edit", args=[proxy.pk]), edited(administrator, proxy))
    assert not AuditRecord.objects.exists()


def test_deleting_needs_confirmation_and_takes_all_that_is_known(
    administrator: Client, proxy: Proxy, mi: FakeMi
) -> None:
    mi.sets = {1: [listed("sip:a")]}
    Watcher(2.0, threading.Event()).poll_once()
    address = reverse("proxies:delete", args=[proxy.pk])
    assert "1 destination" in administrator.get(address).content.decode()
    assert Proxy.objects.exists()
    administrator.post(address, fresh(Proxy, proxy.pk))
    assert not Proxy.objects.exists()
    assert not KnownDestination.objects.exists()
    assert AuditRecord.objects.get().action == "delete"


def test_the_test_button_shows_what_was_found(client_as: ClientAs, proxy: Proxy, mi: FakeMi) -> None:
    mi.sets = {1: [listed("sip:a")], 2: [listed("sip:b")]}
    text = client_as(Role.OPERATOR).post(reverse("proxies:test", args=[proxy.pk])).content.decode()
    assert "OpenSIPS 3.4.18 (x86_64/linux)" in text
    assert "2 destinations in 2 sets, partition default." in text
    assert "the panel can work with this proxy." in text
    assert not ProxyContact.objects.exists(), "a test stores nothing"


def test_the_test_button_names_the_commands_that_are_missing(
    administrator: Client, proxy: Proxy, mi: FakeMi
) -> None:
    mi.commands = ("dispatcher:list", "dispatcher:reload", "ds_set_state")
    text = administrator.post(reverse("proxies:test", args=[proxy.pk])).content.decode()
    assert "does not offer dp_reload: its script does not load the module dialplan" in text


def test_the_test_button_reports_that_nobody_answers(administrator: Client, proxy: Proxy) -> None:
    Proxy.objects.update(mi_url="http://127.0.0.1:1/mi")
    text = unescape(administrator.post(reverse("proxies:test", args=[proxy.pk])).content.decode())
    assert "127.0.0.1:1 can't be reached" in text


def test_an_address_can_be_tested_before_it_is_saved(administrator: Client, mi: FakeMi) -> None:
    sent = {**NEW, "mi_url": mi.url}
    page = administrator.post(reverse("proxies:try-new"), sent)
    fragment = administrator.post(reverse("proxies:try-new"), sent, headers={"HX-Request": "true"})
    assert "the panel can work with this proxy." in page.content.decode()
    assert page.context["form"]["name"].value() == "edge-9"
    assert "<html" not in fragment.content.decode()
    assert not Proxy.objects.exists()


def test_trying_an_edit_uses_the_stored_password(administrator: Client, proxy: Proxy, mi: FakeMi) -> None:
    mi.requires = "Basic dTpnZWhlaW0="
    Proxy.objects.update(mi_username="u", mi_password_encrypted=encrypt("geheim"))
    proxy.refresh_from_db()
    sent = edited(administrator, proxy)
    text = administrator.post(reverse("proxies:try-edited", args=[proxy.pk]), sent).content.decode()
    assert "the panel can work with this proxy." in text


def test_the_list_shows_when_a_proxy_is_the_sandbox(client_as: ClientAs, proxy: Proxy) -> None:
    Proxy.objects.update(is_sandbox=True)
    assert ">sandbox</span>" in client_as(Role.VIEWER).get(reverse("proxies:list")).content.decode()


def test_the_list_shows_why_a_proxy_sends_no_events(client_as: ClientAs, proxy: Proxy) -> None:
    now, client = timezone.now(), client_as(Role.VIEWER)
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})
    ProxyContact.objects.update_or_create(
        proxy=proxy, defaults={"answered_at": now, "attempted_at": now, "events_problem": "Not <b>found</b>."}
    )
    page = client.get(reverse("proxies:list")).content.decode()
    assert "No events:" in page
    assert "Not &lt;b&gt;found&lt;/b&gt;." in page
    ProxyContact.objects.update(events_problem="")
    assert "No events:" not in client.get(reverse("proxies:list")).content.decode()


def test_the_polled_fragment_is_the_pages_own_table(client_as: ClientAs, proxy: Proxy) -> None:
    client = client_as(Role.VIEWER)
    fragment = client.get(reverse("proxies:list"), headers={"HX-Request": "true", "HX-Target": "proxies"})
    text = fragment.content.decode()
    assert "edge-1" in text
    assert "<html" not in text
    assert text.strip() in client.get(reverse("proxies:list")).content.decode()


def test_the_lists_queries_do_not_grow_with_the_proxies(
    client_as: ClientAs, proxy: Proxy, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        ProxyFactory.create(name=f"p{number}", mi_url="http://h/mi")
    client = client_as(Role.VIEWER)
    with django_assert_max_num_queries(5):
        client.get(reverse("proxies:list"))


def test_no_proxy_yet_shows_what_to_do(administrator: Client) -> None:
    assert "Add the MI address" in administrator.get(reverse("proxies:list")).content.decode()


def test_a_cluster_is_kept_shown_and_recorded(administrator: Client, proxy: Proxy) -> None:
    address = reverse("proxies:edit", args=[proxy.pk])
    assert administrator.post(address, edited(administrator, proxy, cluster="east")).status_code == 302
    assert Proxy.objects.get().cluster == "east"
    assert AuditRecord.objects.filter(after__cluster="east").exists()
    assert "cluster east" in administrator.get(reverse("proxies:list")).content.decode()


def test_a_cluster_that_was_changed_meanwhile_is_shown(administrator: Client, proxy: Proxy) -> None:
    form = edited(administrator, proxy, cluster="east")
    Proxy.objects.update(cluster="west")
    answer = administrator.post(reverse("proxies:edit", args=[proxy.pk]), form)
    assert "<dd>west</dd>" in answer.content.decode()
    assert Proxy.objects.get().cluster == "west"


def test_a_proxy_is_only_at_networks_that_the_site_permits(administrator: Client, settings: Settings) -> None:
    settings.PROXY_NETWORKS = (ip_network("10.0.0.0/8"),)
    refused = administrator.post(reverse("proxies:add"), NEW)
    assert "127.0.0.1 is outside the allowed networks" in unescape(refused.content.decode())
    assert not Proxy.objects.exists()
    assert (
        administrator.post(reverse("proxies:add"), NEW | {"mi_url": "http://10.1.2.3/mi"}).status_code == 302
    )


def test_a_proxy_at_another_network_is_not_contacted(administrator: Client, settings: Settings) -> None:
    server = FakeMi()
    server.start()
    proxy = ProxyFactory.create(name="edge-1", mi_url=server.url)
    settings.PROXY_NETWORKS = (ip_network("10.0.0.0/8"),)
    page = administrator.post(reverse("proxies:test", args=[proxy.pk])).content.decode()
    server.stop()
    assert "127.0.0.1 is outside the allowed networks" in unescape(page)
    assert not server.requests


def test_what_answers_there_is_quoted_to_administrators_alone(
    administrator: Client, client_as: ClientAs
) -> None:
    server = FakeMi(requires="Basic x")
    server.start()
    proxy = ProxyFactory.create(name="edge-1", mi_url=server.url)
    address = reverse("proxies:test", args=[proxy.pk])
    shown = [client.post(address).content.decode() for client in (administrator, client_as(Role.OPERATOR))]
    server.stop()
    assert ["Reply starts with “{}”" in page for page in shown] == [True, False]
