"""OpenID Connect: discovery, the way to a provider and back, and the check of its ID token.

django-allauth's own provider takes a token without nonce, from any algorithm that the token names, and waits
for each answer without a limit on the whole. Here PyJWT verifies the token (OpenID Connect Core 1.0 section
3.1.3.7), and every request ends at one deadline. Nothing follows a redirect of a provider.
"""

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from efcp.accounts.roles import Role
from efcp.mi import Endpoint, EndpointError, MiError
from efcp.mi.endpoint import tls_context
from efcp.mi.stream import Deadline, open_stream
from efcp.sign_in_settings import OidcProvider, RolesByGroup

LIMIT_S = 10.0
"""On the whole time of a sign-in's requests to a provider."""
LEEWAY_S = 60
"""By so much a provider's clock may be off."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has; never `none`, and none by the client's secret."""
MOST_BYTES = 1_000_000
MOST_GROUPS = 10_000
KEPT_FOR_S = 3600
"""For which a provider's discovery document and keys are used again."""


SIGN_IN, LINK, CONFIRM = "sign in", "link", "confirm"


class ProviderError(Exception):
    """A provider is away or answered what can't be trusted; the text says so, for people."""


class ProviderAwayError(ProviderError):
    """A provider gave no answer in time."""


@dataclass(frozen=True, slots=True)
class Way:
    """What has to come back from the provider as it went there; kept in the visitor's signed cookie."""

    provider: str
    state: str
    nonce: str
    verifier: str
    target: str
    purpose: str
    """SIGN_IN, LINK or CONFIRM; the last two are for the user who is signed in."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider vouches for."""

    provider: str
    issuer: str
    subject: str
    name: str
    email: str
    groups: frozenset[str]
    signed_in_at: float | None
    """When the provider saw them sign in (Unix time), where it says so."""
    id_token: str

    @property
    def uid(self) -> str:
        """The key of the account: subjects are unique only within an issuer, and may be long."""
        return hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()


def new_way(provider: str, target: str, purpose: str) -> Way:
    """A new way to a provider, its state, nonce and PKCE verifier (RFC 7636) random."""
    state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    return Way(provider, state, nonce, secrets.token_urlsafe(48), target, purpose)


def authorization_address(provider: OidcProvider, way: Way, redirect_uri: str) -> str:
    """Where to send the browser; to CONFIRM, the provider asks for the password in any case.

    Raises ProviderError.
    """
    document = _discovery(provider, Deadline.after(LIMIT_S))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(way.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": way.state,
        "nonce": way.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if way.purpose == CONFIRM:
        query |= {"prompt": "login", "max_age": "0"}
    address = str(document["authorization_endpoint"])
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def identity_of(provider: OidcProvider, way: Way, code: str, redirect_uri: str) -> Identity:
    """Whom the provider vouches for by `code`, within LIMIT_S. Raises ProviderError."""
    deadline = Deadline.after(LIMIT_S)
    document = _discovery(provider, deadline)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": way.verifier,
        "client_id": provider.client_id,
    }
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    credentials = None
    if provider.client_secret and "client_secret_basic" in methods:
        credentials = (provider.client_id, provider.client_secret)
    elif provider.client_secret:
        fields["client_secret"] = provider.client_secret
    answer = _request(str(document["token_endpoint"]), deadline, fields, credentials)
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise ProviderError("The provider's answer has no ID token.")
    claims = verified_claims(provider, document, token, way.nonce, deadline)
    return Identity(
        provider.key,
        provider.issuer,
        claims["sub"],
        str(claims.get("preferred_username") or claims.get("name") or claims.get("email") or claims["sub"]),
        str(claims.get("email") or ""),
        _groups(claims.get(provider.groups_claim)),
        claims["auth_time"] if isinstance(claims.get("auth_time"), int | float) else None,
        token,
    )


def sign_out_address(provider: OidcProvider, id_token: str, back: str) -> str:
    """Where the provider ends its own session; empty where it has no such page. Raises ProviderError."""
    endpoint = str(_discovery(provider, Deadline.after(LIMIT_S)).get("end_session_endpoint") or "")
    if not endpoint:
        return ""
    query = {"post_logout_redirect_uri": back, "client_id": provider.client_id}
    if id_token:
        query["id_token_hint"] = id_token
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def role_for(roles: RolesByGroup, groups: frozenset[str]) -> Role | None:
    """The highest role that the groups give; None where none gives any."""
    given = {Role(role) for group, role in roles if group in groups}
    return max(given, key=list(Role).index, default=None)


def verified_claims(
    provider: OidcProvider, document: Mapping[str, Any], token: str, nonce: str, deadline: Deadline
) -> dict[str, Any]:
    """The claims of an ID token, verified. Raises ProviderError, which says what is wrong with it."""
    claims = _decoded(provider, document, token, deadline)
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise ProviderError("The ID token has no subject.")
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise ProviderError("The ID token belongs to another sign-in (wrong nonce).")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", provider.client_id) != provider.client_id or (
        len(audiences) > 1 and "azp" not in claims
    ):
        raise ProviderError("The ID token is meant for another program (wrong azp).")
    return claims


_WHY = {
    "InvalidIssuerError": "The ID token comes from another issuer.",
    "InvalidAudienceError": "The ID token is meant for another program (wrong audience).",
    "ExpiredSignatureError": "The ID token has expired. Check the clocks of panel and provider.",
    "ImmatureSignatureError": "The ID token is not valid yet. Check both clocks.",
    "InvalidSignatureError": "The ID token's signature is wrong.",
    "InvalidAlgorithmError": "The ID token's signature is of a kind that is not accepted.",
    "MissingRequiredClaimError": "The ID token lacks a required claim.",
}
_documents: dict[str, tuple[float, dict[str, Any]]] = {}
_keys: dict[str, tuple[float, dict[str, Any]]] = {}


def _decoded(
    provider: OidcProvider, document: Mapping[str, Any], token: str, deadline: Deadline
) -> dict[str, Any]:
    """The claims of a token that one of the provider's keys signed. Raises ProviderError."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise ProviderError("The ID token is invalid.") from error
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise ProviderError(_WHY["InvalidAlgorithmError"])
    failure = "The ID token is signed by a key that the provider doesn't publish."
    for published in _published(str(document["jwks_uri"]), deadline):
        key = _matching_key(published, header.get("kid"), algorithm)
        if key is None:
            continue
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=provider.client_id,
                issuer=provider.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.InvalidSignatureError:
            failure = _WHY["InvalidSignatureError"]
        except jwt.PyJWTError as error:
            raise ProviderError(_WHY.get(type(error).__name__, "The ID token is invalid.")) from error
        else:
            return claims
    raise ProviderError(failure)


def _published(address: str, deadline: Deadline) -> Iterator[dict[str, Any]]:
    """The provider's keys as they are known, if they are young enough, then as they are by now."""
    fetched_at, known = _keys.get(address, (0.0, {}))
    if known and time.monotonic() - fetched_at < KEPT_FOR_S:
        yield known
    keys = _request(address, deadline)
    _keys[address] = (time.monotonic(), keys)
    yield keys


def _matching_key(published: Mapping[str, Any], kid: object, algorithm: str) -> Any:
    """The published key of that id, or the only one that fits where the token names none."""
    import jwt

    keys = published.get("keys")
    fitting = []
    for each in keys if isinstance(keys, list) else []:
        named = isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") != "oct"
        if (
            not named
            or (kid is not None and each.get("kid") != kid)
            or each.get("alg", algorithm) != algorithm
        ):
            continue
        try:
            fitting.append(jwt.PyJWK(each, algorithm).key)
        except jwt.PyJWTError:
            continue
    return fitting[0] if fitting and (kid is not None or len(fitting) == 1) else None


def _discovery(provider: OidcProvider, deadline: Deadline) -> dict[str, Any]:
    """The provider's document (OpenID Connect Discovery 1.0 section 4), at most KEPT_FOR_S old."""
    fetched_at, document = _documents.get(provider.issuer, (0.0, {}))
    if document and time.monotonic() - fetched_at < KEPT_FOR_S:
        return document
    document = _request(provider.issuer.rstrip("/") + "/.well-known/openid-configuration", deadline)
    if document.get("issuer") != provider.issuer:
        raise ProviderError("The provider's document names another issuer.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not _is_address(document.get(name), provider.issuer):
            raise ProviderError(f"The provider's document has no good {name}.")
    if "end_session_endpoint" in document and not _is_address(
        document["end_session_endpoint"], provider.issuer
    ):
        del document["end_session_endpoint"]
    _documents[provider.issuer] = (time.monotonic(), document)
    return document


def _is_address(value: object, issuer: str) -> bool:
    """Whether it is a URL of the issuer's own scheme, so that https never becomes http."""
    return (
        isinstance(value, str)
        and urlsplit(value).scheme == urlsplit(issuer).scheme
        and bool(urlsplit(value).netloc)
    )


def _groups(claim: object) -> frozenset[str]:
    """The groups of a claim, a list or one text. Raises ProviderError for more than MOST_GROUPS."""
    groups = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    if len(groups) > MOST_GROUPS:
        raise ProviderError(f"The provider names more than {MOST_GROUPS:,} groups.")
    return frozenset(group for group in groups if isinstance(group, str))


def _request(
    address: str,
    deadline: Deadline,
    fields: Mapping[str, str] | None = None,
    credentials: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """A provider's JSON answer to GET, or to POST of `fields`. Raises ProviderError."""
    import urllib3

    try:
        endpoint = Endpoint.parse(address)
        with open_stream(endpoint, deadline, tls_context("")) as stream:
            connection = urllib3.connection.HTTPConnection(endpoint.host, endpoint.port)
            connection.sock = cast("ssl.SSLSocket", stream)
            headers = {"Accept": "application/json", "User-Agent": "EFCP", "Connection": "close"}
            if credentials is not None:
                headers["Authorization"] = _basic(*credentials)
            if fields is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(
                "GET" if fields is None else "POST",
                endpoint.target,
                body=None if fields is None else urlencode(fields).encode(),
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
            stream.send()
            response = connection.getresponse()
            body = _read(response)
    except EndpointError as error:
        raise ProviderError("The address of the provider can't be used.") from error
    except (MiError, OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
        raise ProviderAwayError("The provider does not answer.") from error
    if response.status != http.client.OK:
        raise ProviderError(_refusal(response.status, body))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderError("The provider's answer is not JSON.") from error
    if not isinstance(answer, dict):
        raise ProviderError("The provider's answer is not a JSON object.")
    return answer


def _read(response: Any) -> bytes:
    body = bytearray()
    while chunk := response.read1(65_536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise ProviderError("The provider's answer is too large.")
    return bytes(body)


def _refusal(status: int, body: bytes) -> str:
    if 300 <= status < 400:
        return "The provider redirects to another address, which is not followed."
    if status >= 500:
        return f"The provider has trouble: it answers with status {status}."
    try:
        code = str(json.loads(body)["error"])[:50]
    except (ValueError, KeyError, TypeError, RecursionError):
        code = ""
    named = f", {code}" if code and code.isprintable() else ""
    return f"The provider refuses the sign-in: status {status}{named}."


def _basic(client_id: str, secret: str) -> str:
    """HTTP Basic, each part form-encoded first (RFC 6749 section 2.3.1)."""
    encoded = urlencode({"": client_id})[1:] + ":" + urlencode({"": secret})[1:]
    return "Basic " + base64.b64encode(encoded.encode()).decode()
