"""Numbers, strings and words: what single tokens say."""

from efcp.script.language.cursor import Cursor
from efcp.script.language.syntax import ArgumentKind
from efcp.script.language.tokens import Token, TokenKind, unquoted

# fmt: off
RESERVED = frozenset({
    "alias", "and", "any", "anycast", "assert", "async", "break", "case", "default", "dns", "drop", "else",
    "error", "exit", "expire", "for", "frag", "if", "in", "launch", "loadmodule", "log", "maxbuffer",
    "mhomed", "modparam", "mpath", "not", "null", "NULL", "or", "return", "route", "socket", "switch", "sync",
    "tag", "tos", "while", "xdbg", "xlog",
})
# fmt: on
"""Words that the scanner knows as its own in all versions, so that they can't be a route's name."""

NULLS = frozenset({"NULL", "null"})

_WORDS_NOW = {
    "af": "$socket_in(af)",
    "dst_ip": "$socket_in(ip)",
    "dst_port": "$socket_in(port)",
    "dst_uri": "$du",
    "from_uri": "$fu",
    "max_len": "$ml",
    "method": '$rm == "INVITE" or is_method("INVITE")',
    "msg": "$ml for its length",
    "proto": "$socket_in(proto)",
    "retcode": "$rc",
    "src_ip": "$si",
    "src_port": "$sp",
    "status": "$rs",
    "to_uri": "$tu",
    "uri": "$ru, and is_myself() for uri == myself",
    "myself": "is_myself()",
}
OLD_WORDS = {
    old: f"Versions before 3.0 knew {old}; the proxy does not start. Write {now}."
    for old, now in _WORDS_NOW.items()
}
"""What to say of words that conditions knew before 3.0 (the list of the migration to 3.0)."""
_KINDS = {
    TokenKind.NUMBER: ArgumentKind.NUMBER,
    TokenKind.VARIABLE: ArgumentKind.VARIABLE,
    TokenKind.WORD: ArgumentKind.NAME,
    TokenKind.ADDRESS: ArgumentKind.NAME,
}
SWITCHES = {"yes": 1, "true": 1, "on": 1, "enable": 1, "no": 0, "false": 0, "off": 0, "disable": 0}
"""The words that the scanner takes as numbers."""


def number(text: str) -> int:
    """What a number says: decimal, 0x… hexadecimal, 0… octal, or one of the words for 1 and 0."""
    if text in SWITCHES:
        return SWITCHES[text]
    if text.startswith("0x"):
        return int(text[2:18], 16)
    octal = len(text) > 1 and text.startswith("0") and not set(text) - set("01234567")
    return int(text[:20], 8 if octal else 10)


def is_number(token: Token) -> bool:
    """Whether the token is a number, or a word that stands for one."""
    return token.kind is TokenKind.NUMBER or token.text in SWITCHES


def kind_of(token: Token) -> ArgumentKind | None:
    """The kind of argument that a token is by itself; None for strings, brackets and operators."""
    return ArgumentKind.NUMBER if token.text in SWITCHES else _KINDS.get(token.kind)


def strings(cursor: Cursor) -> str:
    """What a string says, or several in a row, which are one."""
    text = unquoted(cursor.take().text)
    while cursor.token.kind is TokenKind.STRING:
        text += unquoted(cursor.take().text)
    return text
