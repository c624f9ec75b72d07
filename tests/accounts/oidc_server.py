"""An OpenID Connect provider on loopback that tells the truth, or whatever lie a test has it tell."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT = "efcp"
SECRET = "the client's secret / with signs"


class OidcServer:
    """The provider's state: what its next ID token claims, how it signs, how it misbehaves."""

    def __init__(self, origin: str) -> None:
        self.issuer = origin
        self.key_id, self.key = "1", ec.generate_private_key(ec.SECP256R1())
        self.claims: dict[str, Any] = {"sub": "s-1", "preferred_username": "ada", "groups": ["noc"]}
        self.lies: dict[str, Any] = {}
        self.algorithm = "ES256"
        self.signing_key: Any = None
        self.document: dict[str, Any] = {}
        self.stage_that_hangs = ""
        self.redirects_token = False
        self.codes: dict[str, dict[str, str]] = {}
        self.requests: list[str] = []
        self.released = threading.Event()

    def new_key(self) -> None:
        """Sign by another key from now on."""
        self.key_id, self.key = str(int(self.key_id) + 1), ec.generate_private_key(ec.SECP256R1())

    def authorize(self, address: str) -> str:
        """What a browser is redirected to after the person signed in there."""
        query = dict(parse_qsl(urlsplit(address).query))
        code = secrets.token_hex(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def discovery(self) -> dict[str, Any]:
        """The provider's document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
        } | self.document

    def keys(self) -> dict[str, Any]:
        """The published key."""
        public = json.loads(jwt.algorithms.ECAlgorithm(SHA256).to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.key_id, "use": "sig", "alg": "ES256"}]}

    def token(self, fields: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer of the token endpoint: the code once, for its client and verifier."""
        granted = self.codes.pop(fields.get("code", ""), None)
        expected = base64.b64encode(f"{CLIENT}:{urlencode({'': SECRET})[1:]}".encode()).decode()
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        )
        if granted is None or granted["code_challenge"] != challenge.decode().rstrip("="):
            return 400, {"error": "invalid_grant"}
        if authorization != f"Basic {expected}" or granted["redirect_uri"] != fields["redirect_uri"]:
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        times = {"iat": now, "exp": now + 300, "auth_time": now}
        claims = (
            {"iss": self.issuer, "aud": CLIENT, "nonce": granted["nonce"]} | times | self.claims | self.lies
        )
        key: Any = self.key if self.signing_key is None else self.signing_key
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm=self.algorithm,
            headers={"kid": self.key_id},
        )
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": token}


@contextmanager
def oidc_server() -> Iterator[OidcServer]:
    """Run a provider on a free port of loopback; ended when the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.requests.append(parts.path)
            if parts.path == f"/{state.stage_that_hangs}":
                state.released.wait(60)
                return
            answers = {"/.well-known/openid-configuration": state.discovery, "/keys": state.keys}
            self._answer(200, answers[parts.path]())

        def do_POST(self) -> None:
            state.requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if state.stage_that_hangs == "token":
                state.released.wait(60)
                return
            if state.redirects_token:
                self.send_response(307)
                self.send_header("Location", f"{state.issuer}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(*state.token(dict(parse_qsl(body)), self.headers.get("Authorization", "")))

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = OidcServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
