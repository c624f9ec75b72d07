"""What the form's checks need to know of the world: read from the database, or looked up, when asked."""

from collections.abc import Sequence

from django.db import connection

from dispatcher import names, selectors
from dispatcher.models import Destination
from dispatcher.validation import FormEnvironment, SetOfRow, WeighedRow
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import watched_proxies


def form_environment(*, look_up_names: bool = True) -> FormEnvironment:
    """The environment of a form in the panel; each part is read only when a check asks for it."""
    return FormEnvironment(
        resolve=resolve if look_up_names else not_looked_up,
        known_sockets=known_sockets,
        unstorable=unstorable_characters,
        set_of=set_of_row,
        weighed=weighed_rows,
        duplicate=selectors.same_destination,
    )


def resolve(host: str, port: int | None, transport: str) -> tuple[str, ...] | None:
    """The addresses of a name, looked up as the proxy does; None where no answer came in time."""
    lookup = names.look_up(host, port, transport)
    return None if lookup.outcome is names.Outcome.NO_ANSWER else lookup.addresses


def not_looked_up(_host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    """Take a name as known, while another field than the destination is being typed."""
    return ("192.0.2.1",)


def known_sockets() -> Sequence[str]:
    """The listeners that proxies showed in their lists, without repetition, at most 100."""
    listed = KnownDestination.objects.exclude(socket="").values_list("socket", flat=True)
    return list(listed.distinct().order_by("socket")[:100])


def set_of_row(setid: int) -> SetOfRow:
    """The sums over a set, its states inherited from the first proxy that answers."""
    reference = next((each.proxy for each in watched_proxies() if each.fresh), None)
    totals = selectors.set_totals([setid], reference).get(setid)
    if totals is None:
        return SetOfRow(rows=0, weight=0, active=0)
    return SetOfRow(rows=totals.rows, weight=totals.weight, active=totals.active)


def weighed_rows(setid: int) -> Sequence[WeighedRow]:
    """The rows of a set by id, at most 1,000: shares of more can't be told in a sentence anyway."""
    rows = Destination.objects.filter(setid=setid).order_by("id")
    return [WeighedRow(*row) for row in rows.values_list("id", "destination", "priority", "weight")[:1000]]


def unstorable_characters(column: str, text: str) -> str:
    """The characters of `text` that the character set of `dispatcher.column` lacks.

    MariaDB itself is asked, since only it knows its character sets; SQLite stores everything.
    """
    if connection.vendor != "mysql" or text.isascii():
        return ""
    charset = _charset_of(column)
    if not charset.isidentifier():
        return ""
    characters = "".join(dict.fromkeys(character for character in text if not character.isascii()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT CONVERT(CONVERT(%s USING {charset}) USING utf8mb4)",
            [characters],
        )
        kept = cursor.fetchone()[0]
    return "".join(sent for sent, got in zip(characters, kept, strict=True) if sent != got)


def _charset_of(column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = 'dispatcher' AND column_name = %s",
            [column],
        )
        row = cursor.fetchone()
    return row[0] if row and row[0] else "utf8mb4"
