"""Quoting what a server sent."""

from efcp.mi.endpoint import Endpoint

MAX_CHARACTERS = 200


def excerpt(endpoint: Endpoint, text: str) -> str:
    """The start of `text`, fit to be shown: one printable line of MAX_CHARACTERS, without the password."""
    start = endpoint.redact(text)[: 2 * MAX_CHARACTERS]
    printable = "".join(character if character.isprintable() else " " for character in start)
    line = " ".join(printable.split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}…"
