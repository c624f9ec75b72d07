"""Changing which proxies there are: each change with its audit record, in one transaction."""

from dataclasses import asdict, dataclass, fields

from django.db import IntegrityError, transaction

from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.proxies import mi_password
from efcp.proxies.models import Proxy
from efcp.proxies.visits import forget

MASK = "•••"


class NameTakenError(Exception):
    """This name is taken."""


class ProxyGoneError(Exception):
    """Someone else deleted the proxy meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class ProxyValues:
    """What an administrator declares of a proxy, but for the password."""

    name: str
    mi_url: str
    mi_username: str
    partition: str
    enabled: bool
    cluster: str = ""
    probing: str = ""
    mi_authority: str = ""

    @classmethod
    def of(cls, proxy: Proxy) -> "ProxyValues":
        """The stored values of `proxy`."""
        return cls(**{each.name: getattr(proxy, each.name) for each in fields(cls)})


def add_proxy(actor: Actor, values: ProxyValues, password: str = "") -> Proxy:
    """Store a new proxy; raise NameTakenError."""
    proxy = Proxy(**asdict(values), mi_password_encrypted=mi_password.encrypt(password))
    try:
        with transaction.atomic():
            proxy.save(force_insert=True)
            record(actor, "add", _subject(proxy), after=_for_audit(values, MASK if password else ""))
    except IntegrityError as error:
        raise NameTakenError from error
    return proxy


def change_proxy(
    actor: Actor, proxy_id: int, values: ProxyValues, password: str | None, original: str | None = None
) -> Proxy:
    """Store other values for a proxy and return it; `original` is the form's edit token.

    `password` None keeps the stored one, an empty one removes it. What is known of the proxy's memory is
    forgotten where its address or partition changed. Raises NameTakenError, StaleFormError and
    ProxyGoneError; nothing is written then, nor where nothing changed.
    """
    try:
        with transaction.atomic():
            return _change(actor, _current(proxy_id, original), values, password)
    except IntegrityError as error:
        raise NameTakenError from error


def delete_proxy(actor: Actor, proxy_id: int, original: str | None = None) -> str:
    """Delete a proxy with all that is known of it, its history too, and return its name.

    `original` is the form's edit token. Raises ProxyGoneError or StaleFormError.
    """
    with transaction.atomic():
        proxy = _current(proxy_id, original)
        before = _for_audit(ProxyValues.of(proxy), MASK if proxy.has_mi_password else "")
        record(actor, "delete", _subject(proxy), before=before)
        proxy.delete()
    return proxy.name


def _change(actor: Actor, proxy: Proxy, values: ProxyValues, password: str | None) -> Proxy:
    current = ProxyValues.of(proxy)
    had_password = proxy.has_mi_password
    if current == values and (password is None or (password == "" and not had_password)):
        return proxy
    for column, value in asdict(values).items():
        setattr(proxy, column, value)
    if password is not None:
        proxy.mi_password_encrypted = mi_password.encrypt(password)
    proxy.save()
    if (current.mi_url, current.partition) != (values.mi_url, values.partition):
        forget(proxy)
    changed = f"{MASK} (changed)" if password else MASK
    record(
        actor,
        "edit",
        _subject(proxy),
        before=_for_audit(current, MASK if had_password else ""),
        after=_for_audit(values, changed if proxy.has_mi_password else ""),
    )
    return proxy


def _current(proxy_id: int, original: str | None) -> Proxy:
    """The proxy, locked. Raises ProxyGoneError, and StaleFormError where `original` is of another version."""
    proxy = Proxy.objects.select_for_update().filter(pk=proxy_id).first()
    if proxy is None:
        raise ProxyGoneError
    require_current(original, proxy, _subject(proxy))
    return proxy


def _subject(proxy: Proxy) -> Subject:
    return Subject("proxy", str(proxy.pk), proxy.name)


def _for_audit(values: ProxyValues, password: str) -> dict[str, object]:
    return {**asdict(values), "mi_password": password}
