"""The people who use the panels in `make bench`: each has one kept connection, as a browser has."""

import gzip
import html
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import urllib3

from tests.bench.site import PASSWORD, BenchSite

DISPATCHER = "/cp/system/dispatcher/"
DIALPLAN = "/cp/system/dialplan/"


class Client:
    """Sends requests over one kept connection; keeps cookies, and the size of the last answer."""

    def __init__(self, origin: str) -> None:
        self._pool = urllib3.connection_from_url(origin, maxsize=1)
        self.cookies: dict[str, str] = {}
        self.wire_bytes = 0

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expected: tuple[int, ...] = (200,),
    ) -> urllib3.BaseHTTPResponse:
        """The answer to one request; SystemExit where its status is another one."""
        sent = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Accept-Encoding": "gzip",
            **(headers or {}),
        }
        if fields is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(fields) if fields is not None else None
        answer = self._pool.urlopen(
            method, path, body, sent, redirect=False, retries=False, decode_content=False
        )
        if answer.status not in expected:
            raise SystemExit(f"{method} {path}: {answer.status}")
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        self.wire_bytes = len(answer.data)
        return answer

    def text(self, path: str) -> str:
        """The text of a page."""
        return text_of(self.ask("GET", path))

    def refresh(self, path: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """The answer to a page that asks whether anything changed."""
        return self.ask("GET", path, headers=headers, expected=(200, 304))


def text_of(answer: urllib3.BaseHTTPResponse) -> str:
    """The body of an answer, decompressed."""
    is_compressed = answer.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(answer.data) if is_compressed else answer.data).decode(errors="replace")


class Person(Client):
    """A signed-in administrator of the panel. What writes returns when the list after it stands."""

    def __init__(self, site: BenchSite) -> None:
        super().__init__(site.origin)
        self.text("/cp/accounts/sign-in/")
        self.send("/cp/accounts/sign-in/", {"username": "admin", "password": PASSWORD})

    def send(self, path: str, fields: Mapping[str, str]) -> str:
        """Send a form; the address that its answer redirects to."""
        token = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")}
        # Each form measured here is answered by a redirect; a page in its place says what was refused.
        answer = self.ask("POST", path, {**fields, **token}, expected=(302,))
        return urlsplit(answer.headers["Location"])._replace(scheme="", netloc="").geturl()

    def list(self, page: int) -> None:
        """A page of the list, and what it loads by itself."""
        self._with_fragments(f"{DISPATCHER}?page={page}")

    def search(self, words: str) -> None:
        """The first page of the rows that hold these words."""
        self._with_fragments(f"{DISPATCHER}?{urlencode({'q': words})}")

    def rules(self, page: int) -> None:
        """A page of the dialplan."""
        self._with_fragments(f"{DIALPLAN}?page={page}")

    def add(self, setid: int, uri: str) -> None:
        """Add a destination."""
        fields = {"state": "0", "weight": "1", "probe_mode": "0", "priority": "0"}
        self._with_fragments(
            self.send(f"{DISPATCHER}add/", {"setid": str(setid), "destination": uri, **fields})
        )

    def form_fields(self, path: str) -> dict[str, str]:
        """The inputs of a form, as it is shown."""
        found = re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', self.text(path))
        return {name: html.unescape(value) for name, value in found}

    def edit(self, row_id: int, fields: Mapping[str, str]) -> None:
        """Save an edit form that was filled in."""
        self._with_fragments(self.send(f"{DISPATCHER}{row_id}/edit/", fields))

    def delete(self, row_id: int, fields: Mapping[str, str]) -> None:
        """Answer the question of a deletion."""
        self._with_fragments(self.send(f"{DISPATCHER}{row_id}/delete/", fields))

    def _with_fragments(self, path: str) -> None:
        page = self.text(path)
        for fragment in re.findall(r'hx-get="([^"]+)" hx-trigger="load', page):
            self.ask("GET", html.unescape(fragment), headers={"HX-Request": "true"})


class OldPerson(Client):
    """The administrator of the old panel, whose address names user and password."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        super().__init__(f"http://{parts.hostname}:{parts.port or 80}")
        root = parts.path.rstrip("/")
        self._dispatcher = f"{root}/tools/system/dispatcher/dispatcher.php"
        self._dialplan = f"{root}/tools/system/dialplan/dialplan.php"
        credentials = {"name": parts.username or "", "password": parts.password or ""}
        self.ask("GET", f"{root}/index.php")
        self.ask("POST", f"{root}/login.php", credentials, expected=(302,))
        for tool in ("dispatcher", "dialplan"):
            self.ask("GET", f"{root}/tools/system/{tool}/index.php", expected=(302,))
        self._page = self.text(self._dispatcher)

    def list(self, page: int) -> None:
        """A page of the list."""
        self._page = self.text(f"{self._dispatcher}?page={page}")

    def search(self, words: str) -> None:
        """The first page of the rows whose description holds these words."""
        self._send("ds_search", {"dispatcher_descr": words, "search": "Search"})

    def show_all(self) -> None:
        """End a search."""
        self._send("ds_search", {"show_all": "Show All"})

    def rules(self, page: int) -> None:
        """A page of the dialplan."""
        self.text(f"{self._dialplan}?page={page}")

    def add(self, setid: int, uri: str) -> None:
        """Add a destination; the answer is the list."""
        self._send("do_add", _OLD_FIELDS | {"setid": str(setid), "destination": uri})

    def edit(self, row_id: int, fields: Mapping[str, str]) -> None:
        """Change a destination; the answer is the list."""
        self._send(f"modify&id={row_id}", {**_OLD_FIELDS, **fields})

    def delete(self, row_id: int) -> None:
        """Delete a destination, which a link does there; the answer is the list."""
        self._page = self.text(f"{self._dispatcher}?action=delete&id={row_id}")

    def _send(self, action: str, fields: Mapping[str, str]) -> None:
        tokens = dict(re.findall(r"name='(CSRF\w+)' value='(\w+)'", self._page)[:2])
        answer = self.ask("POST", f"{self._dispatcher}?action={action}", {**fields, **tokens})
        self._page = text_of(answer)


_OLD_FIELDS = {
    "socket": "",
    "state": "0",
    "weight": "1",
    "attrs": "",
    "probe_mode": "0",
    "description": "",
}
