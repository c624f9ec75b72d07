"""The module section: what the routes call, each module after those that it requires.

How large memory must be was measured on proxies of 3.4.18, 3.6.8 and 4.0.1, with tables of 10,000 and
50,000: `ds_list` with `full` answers some 140 bytes a destination, and its texts. A reload keeps the old
table until the new one is there, and both take some 2,500 bytes a destination of shared memory: 32 MB,
the default, do not hold 10,000.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from efcp.script.checking.modules import WELL_KNOWN
from efcp.script.checking.overview import TableFacts
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.writing.answers import Answers, parameter_of
from efcp.script.writing.lines import ScriptLine, accepted, block, quoted

_MEGABYTE = 1 << 20
_BYTES_OF_A_LISTED_ROW = 512
_BYTES_AROUND_A_LISTED_ROW = 256
_SHARED_BYTES_OF_A_ROW = 4096
_PRIVATE_BYTES_OF_A_ROW = 1024


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """Sizes that fit: the buffer of httpd in bytes, shared (-m) and private (-M) memory in megabytes."""

    buffer: int
    shared: int
    private: int


def memory_for(tables: TableFacts | None) -> MemorySizes:
    """Sizes for the dispatcher table, with room for half as many again."""
    rows = tables.rows or 0 if tables else 0
    texts = tables.bytes if tables else None
    listed = rows * _BYTES_OF_A_LISTED_ROW if texts is None else rows * _BYTES_AROUND_A_LISTED_ROW + 2 * texts
    return MemorySizes(
        buffer=_megabytes(listed * 3 // 2, at_least=4, step=4) * _MEGABYTE,
        shared=_megabytes(rows * _SHARED_BYTES_OF_A_ROW * 3 // 2, at_least=64, step=64),
        private=_megabytes(rows * _PRIVATE_BYTES_OF_A_ROW * 3 // 2, at_least=16, step=8),
    )


def _megabytes(size: int, *, at_least: int, step: int) -> int:
    """So many bytes in megabytes, rounded up to a step."""
    return max(at_least, -(-size // (step * _MEGABYTE)) * step)


_FINAL_REPLY_SECONDS = 5
_ANSWER_SECONDS = 120
_REQUEST_BYTES = 65_536

_BASE = {
    "tm": "Keeps transactions: a call can be tried at the next destination, and probes need it.",
    "sl": "Answers without a transaction.",
    "signaling": "send_reply: answers through tm where there is a transaction, through sl otherwise.",
}
_OF_A_WHOLE_PROXY = {
    "maxfwd": "mf_process_maxfwd_header: ends calls that loop.",
    "rr": "record_route and loose_route: the proxy stays in the path of a call that it has set up.",
    "sipmsgops": "has_totag and is_method: what kind of request it is.",
}


def module_section(answers: Answers, memory: MemorySizes) -> Iterator[ScriptLine]:
    """Every module that is needed, with its parameters. The answers must have passed refusals()."""
    yield from block("What carries SIP. A protocol is a module too.", _transport(answers))
    yield from block("What the routes need.", _base(answers))
    if answers.minimal:
        yield from block(
            "How the panel reaches the proxy: MI over HTTP, from this machine only.",
            mi_section(answers, memory),
        )
    yield from block("The database, before the modules that read it.", _database(answers))
    yield from block(
        "The dispatcher: sets of destinations, and the probes that watch them.", _dispatcher(answers)
    )
    if answers.dialplans:
        yield from block("The dialplan: what was dialled becomes what is called.", _dialplan(answers))


def _load(module: str, why: str) -> ScriptLine:
    return ScriptLine(f'loadmodule "{module}.so"', why)


def _set(module: str, name: str, value: str | int, why: str) -> ScriptLine:
    written = quoted(value) if isinstance(value, str) else value
    return ScriptLine(f'modparam("{module}", "{name}", {written})', why)


def _transport(answers: Answers) -> Iterator[ScriptLine]:
    """One protocol only: 4.0 does not start with one that has no listener."""
    protocol = answers.socket.partition(":")[0] if answers.minimal else "udp"
    yield _load(f"proto_{protocol}", f"SIP over {protocol.upper()}.")


def _base(answers: Answers) -> Iterator[ScriptLine]:
    yield _load("tm", _BASE["tm"])
    if answers.minimal:
        why = f"A destination that is silent for {_FINAL_REPLY_SECONDS} seconds has failed (30 unless set)."
        yield _set("tm", "fr_timeout", _FINAL_REPLY_SECONDS, why)
        why = f"A call may ring for {_ANSWER_SECONDS} seconds."
        yield _set("tm", "fr_inv_timeout", _ANSWER_SECONDS, why)
    for module in ("sl", "signaling"):
        yield _load(module, _BASE[module])
    if answers.minimal:
        for module, why in _OF_A_WHOLE_PROXY.items():
            yield _load(module, why)


def mi_section(answers: Answers, memory: MemorySizes) -> Iterator[ScriptLine]:
    """How the panel reaches the proxy: MI over HTTP on loopback, and events."""
    yield _load("httpd", "The HTTP server within the proxy.")
    yield _set(
        "httpd", "ip", "127.0.0.1", "It listens on loopback only: whoever reaches MI controls the proxy."
    )
    yield _set("httpd", "port", answers.mi_port, "The port that the panel is told.")
    why = "Bytes for one answer. The list of all destinations must fit, or the proxy never answers."
    yield _set("httpd", "buf_size", memory.buffer, why)
    if "receive_buf_size" in knowledge_of(answers.version).modules["httpd"].parameters:
        why = "Bytes for one request. Above the default of 1024 a request is never answered."
        yield _set("httpd", "receive_buf_size", _REQUEST_BYTES, why)
    yield _load("mi_http", "MI over HTTP. It needs httpd.")
    yield _set("mi_http", "root", "mi", "The path of MI: http://127.0.0.1/mi with the port above.")
    yield _load(
        "event_datagram", "Sends events: the panel asks for them, and sees a change of state at once."
    )


def _database(answers: Answers) -> Iterator[ScriptLine]:
    url = database_url(answers.database_url)
    if url:
        yield _load(url.driver, "Reads the tables. The dispatcher does not start without it.")


def _database_of(module: str, answers: Answers) -> Iterator[ScriptLine]:
    url = database_url(answers.database_url)
    shown = url.masked if url and not answers.show_passwords else answers.database_url
    hidden = shown != answers.database_url
    why = (
        f"Where its table is. Put the password in the place of {PLACEHOLDER}."
        if hidden
        else "Where its table is."
    )
    if not hidden and url and url.password == WELL_KNOWN and module == "dispatcher":
        yield accepted("password-default", "the password that was given; set one of your own")
    yield _set(module, "db_url", shown, why)


def _dispatcher(answers: Answers) -> Iterator[ScriptLine]:
    yield _load("dispatcher", "Chooses a destination from a set. It needs the database, and tm for probes.")
    yield from _database_of("dispatcher", answers)
    seconds = answers.probing_interval
    why = (
        f"A probe every {seconds} seconds."
        if seconds
        else "No probes: a destination that failed is not tried again."
    )
    yield _set("dispatcher", "ds_ping_interval", seconds, why)
    yield _set("dispatcher", "ds_ping_from", answers.probing_from, "The From of the probes.")
    if answers.threshold == 1:
        yield accepted("threshold-low", "one failure takes a destination out, as was asked for")
    why = f"Taken out after {answers.threshold} failure{'s in a row' if answers.threshold > 1 else ''}."
    yield _set("dispatcher", "ds_probing_threshold", answers.threshold, why)
    yield from _how_to_probe(answers)
    yield from _algorithms(answers)


def _how_to_probe(answers: Answers) -> Iterator[ScriptLine]:
    if answers.probing_mode:
        why = "All destinations are probed, not only those that failed."
        yield _set("dispatcher", "ds_probing_mode", answers.probing_mode, why)
    if answers.reply_codes:
        codes = ",".join(map(str, answers.reply_codes))
        why = "Replies to a probe that count as alive, besides 200."
        yield _set("dispatcher", "options_reply_codes", codes, why)


def _algorithms(answers: Answers) -> Iterator[ScriptLine]:
    """What algorithms 7, 9 and 10 read. A parameter is written once, as all groups share it."""
    by_parameter = {parameter_of(group.algorithm): group for group in answers.groups}
    for name, group in by_parameter.items():
        if name:
            yield _set("dispatcher", name, group.parameter, f"What algorithm {group.algorithm} goes by.")


def _dialplan(answers: Answers) -> Iterator[ScriptLine]:
    yield _load("dialplan", "Translates numbers by the rules of its table.")
    yield from _database_of("dialplan", answers)


PLACEHOLDER = "PASSWORD"
"""Stands where a password was. To be replaced in the file that the proxy reads."""

_URL = re.compile(r"(?P<scheme>[a-z_]+)://\S+")
_DRIVERS = {"mysql": "db_mysql", "postgres": "db_postgres", "sqlite": "db_sqlite", "text": "db_text"}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL that can be written. `driver` is the module that it needs."""

    text: str
    driver: str

    @property
    def password(self) -> str:
        """The password in it, "" where there is none."""
        login = self.text.rpartition("@")[0].partition("://")[2]
        return login.partition(":")[2]

    @property
    def masked(self) -> str:
        """The URL with PASSWORD instead of its password; unchanged where it has none."""
        login, at, place = self.text.rpartition("@")
        scheme, _, user_and_password = login.partition("://")
        user, colon, _ = user_and_password.partition(":")
        return f"{scheme}://{user}:{PLACEHOLDER}@{place}" if at and colon else self.text


def database_url(text: str) -> DatabaseUrl | None:
    """The URL, or None where it is none that a module described here serves.

    What comes after the last @ is the place: a password may hold one itself.
    """
    match = _URL.fullmatch(text)
    driver = _DRIVERS.get(match["scheme"]) if match else None
    return DatabaseUrl(text, driver) if driver else None
