"""Who reaches MI over HTTP, and whether the table fits into the memory and buffers that are set."""

from collections.abc import Iterator
from ipaddress import ip_address

from efcp.releases import Release
from efcp.script.checking.overview import Overview
from efcp.script.findings import ScriptFinding, hint, warning

_MEGABYTE = 1 << 20
_LISTED_BYTES = 140
"""Of a destination in the answer of ds_list with `full`, besides its texts; as observed."""
_UNKNOWN_TEXTS = 100
_DEFAULT_BUFFER_ROWS = 5_000
"""Beyond so many a proxy with defaults does not answer ds_list with `full` (reference, MI over HTTP)."""
_SHARED_BYTES = 2_500
"""Of a destination, while a reload holds the old table and the new one; as observed."""
_SHARED_FOR_ALL_ELSE = 16
_DEFAULT_SHARED = 32
_PRIVATE_BYTES = 1_024
_PRIVATE_FOR_ALL_ELSE = 2


def open_mi(overview: Overview) -> Iterator[ScriptFinding]:
    """MI over HTTP has no password: reaching its port means controlling the proxy. Without `ip`, httpd
    listens on all addresses or on loopback, as the release has it (httpd.c)."""
    module = overview.loaded.get("mi_http")
    parameter = overview.parameter("httpd", "ip")
    if module is None or (parameter is None and not overview.is_whole):
        return
    listens_on = str(parameter.value) if parameter else _default_address(overview.knowledge.release)
    if _is_loopback(listens_on):
        return
    place = parameter.place if parameter else overview.loaded.get("httpd", module).place
    text = f"MI over HTTP listens on {listens_on[:60]}, without a password: whoever reaches it controls the"
    yield warning("mi-open", place, f'{text} proxy. Write modparam("httpd", "ip", "127.0.0.1").')


def _default_address(release: Release) -> str:
    return "127.0.0.1" if release.serves_http_on_loopback else "all addresses"


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def buffer(overview: Overview) -> Iterator[ScriptFinding]:
    """The answer of ds_list must fit into httpd's buf_size, or it never ends (reference, MI over HTTP)."""
    rows = overview.tables.rows
    if not rows or "httpd" not in overview.loaded or "mi_http" not in overview.loaded:
        return
    texts = rows * _UNKNOWN_TEXTS if overview.tables.bytes is None else overview.tables.bytes
    needed = rows * _LISTED_BYTES + texts
    advice = f'Write modparam("httpd", "buf_size", {-(-needed * 3 // 2 // _MEGABYTE) * _MEGABYTE}).'
    parameter = overview.parameter("httpd", "buf_size")
    if parameter is None:
        if rows > _DEFAULT_BUFFER_ROWS and overview.is_whole:
            text = (
                f"A list of {rows:,} destinations does not fit httpd's usual buffer, and is never answered."
            )
            place = overview.loaded["httpd"].place
            yield warning("buffer-small", place, f"{text} {advice}")
    elif isinstance(parameter.value, int) and 0 < parameter.value < needed:
        text = f"A list of {rows:,} destinations takes some {needed:,} bytes and is never answered with this."
        yield warning("buffer-small", parameter.place, f"{text} {advice}")


def shared_memory(overview: Overview) -> Iterator[ScriptFinding]:
    """A reload needs room for the old table and the new one. The command line says how much (-m)."""
    rows, module = overview.tables.rows, overview.loaded.get("dispatcher")
    if not rows or module is None:
        return
    given = overview.tables.shared_memory
    needed = _SHARED_FOR_ALL_ELSE + -(-rows * _SHARED_BYTES // _MEGABYTE)
    advice = f"Start it with opensips -m {needed * 2} -M {max(16, needed // 2)}."
    if given is None and needed > _DEFAULT_SHARED:
        text = f"A table of {rows:,} destinations does not load with {_DEFAULT_SHARED} MB of shared memory,"
        yield hint(
            "memory-small",
            module.place,
            f"{text} which is what there is unset. {advice}",
        )
    elif given is not None and needed > given:
        text = f"A table of {rows:,} destinations does not load with {given} MB of shared memory: a reload"
        yield warning("memory-small", module.place, f"{text} fails. {advice}")


def private_memory(overview: Overview) -> Iterator[ScriptFinding]:
    """httpd takes its buffer from private memory, and a reload takes some for each destination."""
    given, module = overview.tables.private_memory, overview.loaded.get("dispatcher")
    if given is None or module is None:
        return
    size = overview.value("httpd", "buf_size")
    buffer_size = size if isinstance(size, int) and "httpd" in overview.loaded else 0
    table = (overview.tables.rows or 0) * _PRIVATE_BYTES
    needed = _PRIVATE_FOR_ALL_ELSE + -(-(buffer_size + table) // _MEGABYTE)
    if needed > given:
        parameter = overview.parameter("httpd", "buf_size")
        place = parameter.place if parameter and buffer_size > table else module.place
        text = (
            f"{given} MB of private memory are too few for this buffer and table, which take some {needed}."
        )
        yield warning("memory-small", place, f"{text} Start it with opensips -M {needed * 2}.")


CHECKS = (
    open_mi,
    buffer,
    shared_memory,
    private_memory,
)
