"""API tokens as resources: what they are good for, and revoking them. None shows a secret."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from efcp.accounts import tokens
from efcp.accounts.models import ApiToken
from efcp.accounts.roles import ADMINISTER, VIEW
from efcp.api.authentication import caller_of
from efcp.api.exchange import PageQuery, answered_page, answered_resource, etag_of, moment
from efcp.api.operations import declared, page_of, written
from efcp.api.problems import not_found
from efcp.api.writes import WriteQuery, carry_out_deletion
from efcp.editing.table import MAX_INT

router = Router()


class TokenOut(Schema):
    """An API token, without its secret."""

    id: int = Field(description="The token's id.")
    etag: str = Field(description="Its version, for If-Match.")
    name: str | None = Field(None, description="Its name.")
    owner: str | None = Field(None, description="The user that it belongs to; null for a service account.")
    role: str | None = Field(None, description="What it permits now: its own role, or its owner's if less.")
    modules: list[str] | None = Field(None, description="Only these modules; empty for all.")
    sets: list[int] | None = Field(None, description="Only these sets; empty for all.")
    networks: list[str] | None = Field(None, description="Only from these networks; empty for all.")
    state: str | None = Field(None, description="valid, expired, revoked or owner inactive.")
    created_at: str | None = Field(None, description="When it was created.")
    created_by: str | None = Field(None, description="By whom.")
    expires_at: str | None = Field(None, description="When it expires; null for never.")
    last_used_at: str | None = Field(None, description="When it was last used, within minutes.")
    last_address: str | None = Field(None, description="From where.")


def _state_of(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return "expired"
    return "valid" if token.owner is None or token.owner.is_active else "owner inactive"


def token_as_json(token: ApiToken) -> dict[str, Any]:
    """A token without its secret."""
    return {
        "id": token.pk,
        "etag": etag_of(["token", token.pk, token.revoked_at, token.expires_at]),
        "name": token.name,
        "owner": token.owner.username if token.owner else None,
        "role": tokens.role_of(token).value,
        "modules": token.modules,
        "sets": token.sets,
        "networks": token.networks,
        "state": _state_of(token),
        "created_at": moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
        "last_address": token.last_address,
    }


def _find(row_id: int) -> ApiToken:
    found = ApiToken.objects.select_related("owner").filter(pk=min(row_id, MAX_INT)).first()
    if found is None:
        raise not_found("There is no such token.")
    return found


@router.get(
    "/token",
    summary="Get the token of this call",
    description="What it permits and until when: a pipeline can check before it begins.",
    operation_id="get_own_token",
    url_name="own-token",
    tags=["tokens"],
    **declared(VIEW, by_set=True, answer=TokenOut),
)
def get_own_token(request: HttpRequest) -> HttpResponse:
    """The caller's token."""
    return answered_resource(request, token_as_json(_find(caller_of(request).token.pk)))


@router.get(
    "/tokens",
    summary="List tokens",
    description="Everybody's, in the order of their ids, without secrets.",
    operation_id="list_tokens",
    url_name="tokens",
    tags=["tokens"],
    **declared(ADMINISTER, answer=page_of(TokenOut)),
)
def list_tokens(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The tokens."""
    return answered_page(ApiToken.objects.select_related("owner"), query, token_as_json)


@router.get(
    "/tokens/{int:row_id}",
    summary="Get a token",
    description="With its version as ETag.",
    operation_id="get_token",
    url_name="token",
    tags=["tokens"],
    **declared(ADMINISTER, answer=TokenOut),
)
def get_token(request: HttpRequest, row_id: int) -> HttpResponse:
    """One token."""
    return answered_resource(request, token_as_json(_find(row_id)))


@router.delete(
    "/tokens/{int:row_id}",
    summary="Revoke a token",
    description="At once; it stays in the list as revoked.",
    operation_id="revoke_token",
    url_name="token",
    tags=["tokens"],
    **declared(ADMINISTER, answer=written(TokenOut), writes=True, versioned=True),
)
def revoke_token(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Revoke a token."""

    def revoke(token: ApiToken, _token: str) -> None:
        tokens.revoke_token(token, timezone.now(), caller_of(request).actor)

    return carry_out_deletion(request, how, lambda: _find(row_id), token_as_json, revoke)
