"""How an operation is declared: its permission, what it answers, and its place in the OpenAPI description."""

from collections.abc import Mapping
from typing import Any

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field, create_model

from efcp.accounts.roles import VIEW
from efcp.api.authentication import PANEL, Bearer
from efcp.api.problems import FindingOut, ProblemOut

IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string"},
    "description": "The ETag of the version that you saw.",
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[!-~]*$"},
    "description": "A new key of yours for each write; repeated with it, the write is answered as it was.",
}
_READ_ERRORS = (400, 401, 403, 404, 405, 414, 422, 429, 503)
_BODY_ERRORS = (413, 415)
_WRITE_ERRORS = (*_READ_ERRORS, *_BODY_ERRORS, 409)


class StrictBody(BaseModel):
    """A body: unknown fields are refused, and no value is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


def declared(
    permission: str = VIEW,
    module: str = PANEL,
    *,
    by_set: bool = False,
    answer: Any = None,
    status: int = 200,
    writes: bool = False,
    versioned: bool = False,
    example: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a router's decorator takes for an operation.

    `answer` is the schema of a good answer, whose HTTP status is `status`. What is `versioned` needs
    If-Match, other writes may come with an Idempotency-Key; `example` is a body.
    """
    errors = {
        *(_WRITE_ERRORS if writes else _READ_ERRORS),
        *((412, 428) if versioned else ()),
        *(_BODY_ERRORS if example else ()),
    }
    extra: dict[str, Any] = {"x-permission": permission, "x-module": module}
    if writes:
        extra["parameters"] = [IF_MATCH if versioned else IDEMPOTENCY_KEY]
    if example is not None:
        extra["requestBody"] = {"content": {"application/json": {"example": dict(example)}}}
    good = {status, 200} if writes else {status}
    return {
        "auth": Bearer(permission, module, by_set=by_set),
        "response": {**dict.fromkeys(sorted(good), answer), **dict.fromkeys(sorted(errors), ProblemOut)},
        "openapi_extra": extra,
    }


def page_of(item: type[BaseModel]) -> type[BaseModel]:
    """The schema of a page of items."""
    return create_model(
        f"{item.__name__}Page",
        __base__=Schema,
        items=(list[item], Field(description="At most `limit` of them.")),  # type: ignore[valid-type]
        next=(str | None, Field(description="The cursor of the next page; null on the last one.")),
    )


def written(item: type[BaseModel]) -> type[BaseModel]:
    """The schema of the answer to a write."""
    return create_model(
        f"{item.__name__}Written",
        __base__=Schema,
        data=(
            item | None,
            Field(  # type: ignore[arg-type]
                description="The resource after the write; null where it is gone."
            ),
        ),
        warnings=(list[FindingOut], Field(description="What is surprising about it; it stopped nothing.")),
        effect=(dict[str, Any] | None, Field(description="What else it does, where that is computed.")),
        dry_run=(bool, Field(description="Whether nothing was written.")),
    )
