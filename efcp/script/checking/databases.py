"""Where the proxy reads its tables, and who else writes them."""

import re
from collections.abc import Iterator

from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Place, Severity

_URL = re.compile(
    r"mysql://(?:(?P<login>.*)@)?(?P<host>\[[^\]]*\]|[^/:@]*)(?::(?P<port>\d{1,5}))?/(?P<name>[^/?]*).*",
    re.DOTALL,
)
_MYSQL_PORT = 3306
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
WELL_KNOWN = "opensipsrw"
"""The password that comes with OpenSIPS."""

_MODULES = ("dispatcher", "dialplan")


def _urls(overview: Overview) -> Iterator[tuple[Place, str]]:
    """Each URL that the tables are read by, with its place."""
    for module in _MODULES:
        parameter = overview.parameter(module, "db_url")
        if parameter and isinstance(parameter.value, str):
            yield parameter.place, parameter.value
    for setting in overview.script.settings:
        if setting.name == "db_default_url" and isinstance(setting.value, str):
            yield setting.place, setting.value


def missing(overview: Overview) -> Iterator[Finding]:
    """The dispatcher does not start without a database (mod_init in dispatcher.c)."""
    if not overview.is_whole or "dispatcher" not in overview.loaded:
        return
    has_default = any(setting.name == "db_default_url" for setting in overview.script.settings)
    has_own = overview.value("dispatcher", "db_url") or overview.parameters_of("dispatcher", "partition")
    if not has_default and not has_own:
        text = "dispatcher has no database, so the proxy does not start. Write"
        said = f'{text} modparam("dispatcher", "db_url", "mysql://user:password@host/opensips").'
        yield Finding(Severity.ERROR, "database-missing", overview.loaded["dispatcher"].place, said)


def other(overview: Overview) -> Iterator[Finding]:
    """The proxy reads other tables than those that the panel edits."""
    if overview.tables.database is None:
        return
    host, port, name = overview.tables.database
    panels = (_host(host), port, name)
    for place, url in dict(_urls(overview)).items():
        match = _URL.fullmatch(url)
        if match is None:
            continue
        own = (_host(match["host"]), int(match["port"] or _MYSQL_PORT), match["name"])
        if own != panels:
            text = (
                f"The proxy reads {own[0]}:{own[1]}/{own[2]}, the panel edits {host}:{port}/{name}: what is"
            )
            yield Finding(Severity.WARNING, "database-other", place, f"{text} changed there may not arrive.")


def _host(name: str) -> str:
    plain = name.strip("[]").lower()
    return "localhost" if plain in _HERE else plain


def default_password(overview: Overview) -> Iterator[Finding]:
    """The password that everybody knows. Once, with the other places."""
    found = [place for place, url in dict(_urls(overview)).items() if _password(url) == WELL_KNOWN]
    if found:
        text = f"{WELL_KNOWN} is the password that comes with OpenSIPS: everybody knows it. Set one of"
        said = f"{text} your own."
        yield Finding(Severity.HINT, "password-default", found[0], said, tuple(found[1:]))


def _password(url: str) -> str:
    match = _URL.fullmatch(url)
    return (match["login"] or "").partition(":")[2] if match else ""


def shared_states(overview: Overview) -> Iterator[Finding]:
    """Several proxies write the states of one table, unless persistent_state is 0 (reference, several
    proxies)."""
    proxies = overview.tables.proxies
    if proxies is None or proxies < 2 or "dispatcher" not in overview.loaded:
        return
    parameter = overview.parameter("dispatcher", "persistent_state")
    if parameter and parameter.value == 0:
        return
    place = parameter.place if parameter else overview.loaded["dispatcher"].place
    text = (
        f"{proxies} proxies use this table, and each writes the states that it sees into it: the last one "
        "wins, and a restart loads what another one saw. If that is not meant, write"
    )
    said = f'{text} modparam("dispatcher", "persistent_state", 0).'
    yield Finding(Severity.HINT, "states-shared", place, said)


CHECKS = (missing, other, default_password, shared_states)
