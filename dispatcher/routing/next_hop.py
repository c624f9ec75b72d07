"""The next hop that the proxy makes of a destination's URI (dispatch.c: add_dest2list)."""

from dataclasses import dataclass

from efcp.sip.uri import SipUri


@dataclass(frozen=True, slots=True)
class NextHop:
    """What the proxy sends to. `undefined_bytes` more follow `text`: whatever its memory held."""

    text: str
    undefined_bytes: int = 0
    is_broken: bool = False


def next_hop_of(text: str, uri: SipUri) -> NextHop:
    """The next hop of the URI `text`, taken apart as `uri`.

    Without user part, password and headers it is the URI itself. Else host, port and parameters are copied
    one by one, where the loader forgets the semicolon before the parameters, and writes these over the port.
    """
    if not (uri.user or uri.password or uri.headers):
        return NextHop(text)
    start = f"{uri.scheme}:{uri.host}"
    if not uri.parameters:
        return NextHop(f"{start}:{uri.port_text}" if uri.port_text else start)
    if not uri.port_text:
        return NextHop(start + uri.parameters, is_broken=True)
    rest_of_port = uri.port_text[len(uri.parameters.encode()) :]
    return NextHop(
        text=f"{start}:{uri.parameters}{rest_of_port}",
        undefined_bytes=len(uri.port_text) - len(rest_of_port),
        is_broken=True,
    )
