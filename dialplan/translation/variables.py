"""Script variables in a replacement: where one ends, and whether a proxy knows it.

The grammar is that of OpenSIPS's `pv_parse_spec`: `$name`, `$name(inner)`, `$(name)`,
`$(name(inner)[index])`, `$(name{transformation})`, `$<context>name`, `$$`. A name that neither the core nor a
loaded module exports drops the rule. Inner names and transformations are checked for their brackets only.
"""

import string
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from efcp.releases import RELEASE_3_6, RELEASE_4_0, Release

_NAME_CHARACTERS: Final = frozenset((string.ascii_letters + string.digits + "_.").encode())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLAIN: Final = _words(
    """
    Au TS Tf Ts Tsm aU ad adu ai an ar au auth.alg auth.cnonce auth.nc auth.nonce auth.opaque
    auth.qop auth.resp bf branch cT cfg_file cfg_line ci cl cs ct dP dd di dip dir dp ds du duri
    err.class err.info err.level err.rcode err.rreason fU fd fn from from.domain from.user ft fu
    hdr_name log_level mb mf mi ml msg.is_request msg.type oP oU od op ou ouri pU path pd pn pp pu
    rP rU rb rc rd re retcode rm route route.name route.type rp rr rs rt ru ru_q ruri ruri.domain
    ruri.user si socket_in socket_out sp src_ip tU td tn to to.domain to.user tt tu ua xlog_level
    """
)
_PLAIN_FROM_3_6: Final = _words(
    """
    challenge.algorithm challenge.ck challenge.ik challenge.nonce challenge.opaque challenge.qop
    challenge.realm msg.branch msg.branch.duri msg.branch.flags msg.branch.last_idx msg.branch.path
    msg.branch.q msg.branch.socket msg.branch.uri sdp
    """
)
_NAMED: Final = _words(
    """
    C argv avp branch branch.flag ct.fields hdr hdrcnt msg.flag param rb socket_in socket_out time
    var
    """
)
_NAMED_FROM_3_6: Final = _words(
    """
    msg.branch.attr msg.branch.flag return sdp sdp.line sdp.session sdp.stream sdp.stream.idx
    """
)
_NAMED_FROM_4_0: Final = frozenset({"proxy_protocol"})
_INDEXED: Final = _words(
    """
    avp branch branch.flag cT ct ct.fields hdr hdr_name msg.branch.attr msg.branch.duri
    msg.branch.flag msg.branch.flags msg.branch.path msg.branch.q msg.branch.socket msg.branch.uri
    rb route route.name route.type sdp.line sdp.session sdp.stream
    """
)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in a text: `text` as written, `name` alone, `since` the first release that has it
    (None: all)."""

    text: bytes
    name: str
    since: Release | None


@dataclass(frozen=True, slots=True)
class InvalidVariable:
    """A `$` that begins no variable a proxy would take; such a rule is dropped."""

    reason: str


def read_variable(text: bytes, start: int, exported: Collection[str] = ()) -> Variable | InvalidVariable:
    """The variable that begins with the `$` at `start`. `exported`: names that the loaded modules add."""
    return _VariableReader(text, start, exported).read()


class _VariableReader:
    """Follows `pv_parse_spec`; past the end of the text stands a zero byte, as in C."""

    def __init__(self, text: bytes, start: int, exported: Collection[str]) -> None:
        self._text = text
        self._start = start
        self._at = start + 1
        self._exported = exported

    def read(self) -> Variable | InvalidVariable:
        try:
            name, since = self._parenthesised() if self._take(b"(") else self._bare()
        except _VariableError as error:
            return InvalidVariable(str(error))
        return Variable(self._text[self._start : self._at], name, since)

    def _bare(self) -> tuple[str, Release | None]:
        if self._take(b"$"):
            return "$", None
        name = self._name()
        if not self._take(b"("):
            return name, self._lookup(name, named=False)
        since = self._lookup(name, named=True)
        self._inner(b"(", b")")
        return name, since

    def _parenthesised(self) -> tuple[str, Release | None]:
        if self._take(b"$"):
            self._expect(b")")
            return "$", None
        name = self._name()
        named = self._peek() == b"("
        if not named and self._peek() not in (b")", b"[", b"{"):
            raise _VariableError(f"a closing bracket is missing in {self._shown()}")
        since = self._lookup(name, named=named)
        if self._take(b"("):
            self._inner(b"(", b")")
        if self._take(b"["):
            self._index(name)
        if self._take(b"{"):
            self._transformations()
        self._expect(b")")
        return name, since

    def _name(self) -> str:
        if self._take(b"<"):
            self._letters()
            self._expect(b">")
        return self._letters().decode("ascii")

    def _letters(self) -> bytes:
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] in _NAME_CHARACTERS:
            self._at += 1
        return self._text[begin : self._at]

    def _lookup(self, name: str, *, named: bool) -> Release | None:
        """The first release whose core has the name (None where all have it, or a module exports it)."""
        if named:
            releases = {None: _NAMED, RELEASE_3_6: _NAMED_FROM_3_6, RELEASE_4_0: _NAMED_FROM_4_0}
        else:
            releases = {None: _PLAIN, RELEASE_3_6: _PLAIN_FROM_3_6}
        if name in self._exported:
            return None
        for release, names in releases.items():
            if name in names:
                return release
        shown = f"${name}(…)" if named else f"${name}"
        raise _VariableError(f"the proxy's core has no variable {shown}")

    def _inner(self, opening: bytes, closing: bytes) -> None:
        begin = self._at
        depth = 0
        while self._at < len(self._text):
            here = self._peek()
            if here == closing:
                if depth == 0:
                    break
                depth -= 1
            if here == opening:
                depth += 1
            self._at += 1
        if self._at == begin:
            raise _VariableError(f"the brackets of {self._shown()} are empty")
        self._expect(closing)

    def _index(self, name: str) -> None:
        if name not in _INDEXED and name not in self._exported:
            raise _VariableError(f"${name} takes no index")
        begin = self._at
        self._inner(b"[", b"]")
        index = self._text[begin : self._at - 1]
        digits = index.removeprefix(b"-")
        is_known = index == b"*" or index.startswith(b"$") or digits.isdigit() or not digits
        if not is_known and not (name == "avp" and index.lower() == b"append"):
            raise _VariableError(f"{index.decode('utf-8', 'replace')} is not an index")

    def _transformations(self) -> None:
        self._inner(b"{", b"}")
        while True:
            here = self._at
            while self._peek() in (b" ", b"\t"):
                self._at += 1
            if not self._take(b"{"):
                self._at = here
                return
            self._inner(b"{", b"}")

    def _peek(self) -> bytes:
        return self._text[self._at : self._at + 1] or b"\0"

    def _take(self, character: bytes) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: bytes) -> None:
        if not self._take(character):
            raise _VariableError(f"“{character.decode('ascii')}” is missing in {self._shown()}")

    def _shown(self) -> str:
        return self._text[self._start :].decode("utf-8", "replace")


class _VariableError(Exception):
    """Not a variable; the message says why."""
