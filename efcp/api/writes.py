"""How a write is carried out: dry runs, warnings as errors, and answers that a repeated POST gets again.

An operation prepares its write: it checks what was sent and returns the work. The work runs in a transaction.
A dry run rolls it back, so that it answers with the very outcome. With an Idempotency-Key the answer is
stored in that transaction.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Schema

from efcp.api.authentication import caller_of
from efcp.api.exchange import answered, changed, require_version
from efcp.api.models import StoredAnswer
from efcp.api.problems import ProblemError, invalid, not_found
from efcp.audit.edit_tokens import StaleFormError, token_of
from efcp.proxies.locking import retried_on_lock

LONGEST_KEY = 255
_KEY = re.compile(rf"[!-~]{{0,{LONGEST_KEY}}}")
_KEPT_HEADERS = ("ETag", "Location", "Content-Type")

Work = Callable[[], HttpResponse]
"""The write itself, which answers."""
Store = Callable[[HttpResponse], None]
Found = TypeVar("Found", bound=Model)


class WriteQuery(Schema):
    """How a write is carried out."""

    dry_run: bool = Field(False, description="Answer with what would happen, and write nothing.")
    strict: bool = Field(False, description="Refuse what has warnings.")


def carry_out(request: HttpRequest, how: WriteQuery, prepare: Callable[[], Work]) -> HttpResponse:
    """Prepare a write and do it; a POST whose Idempotency-Key was used before is answered as that was."""
    answers = answers_of(request, how)
    former = answers.former()
    if former is not None:
        return former
    try:
        return _in_transaction(prepare(), how, answers)
    except (ProblemError, IntegrityError):
        # The same request may have been carried out since: its own row would be refused as a second one.
        former = answers.former()
        if former is None:
            raise
        return former


@retried_on_lock
def _in_transaction(work: Work, how: WriteQuery, answers: "AnswerStore") -> HttpResponse:
    with transaction.atomic():
        response = work()
        if how.dry_run:
            transaction.set_rollback(True)
        else:
            answers.store(response)
    return response


def carry_out_deletion(
    request: HttpRequest,
    how: WriteQuery,
    find: Callable[[], Found],
    as_json: Callable[[Found], dict[str, Any]],
    delete: Callable[[Found, str], object],
) -> HttpResponse:
    """Delete the row that `find` gives, if the request names its version.

    `delete` takes it and the edit token by which its service knows that version.
    """

    def prepare() -> Work:
        found = find()
        require_version(request, as_json(found), None)
        token = token_of(found)

        def work() -> HttpResponse:
            with conflicts_as_412(lambda: as_json(find())):
                delete(found, token)
            return answered_write(None, how)

        return work

    return carry_out(request, how, prepare)


@contextmanager
def conflicts_as_412(
    current: Callable[[], Mapping[str, Any]], requested: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Raise ProblemError (412) with both versions where a service finds that somebody changed the row."""
    try:
        yield
    except StaleFormError:
        raise changed(current(), requested) from None


@contextmanager
def gone_as_404(error: type[Exception], noun: str) -> Iterator[None]:
    """Raise ProblemError (404) where a service finds that what it is to write is gone."""
    try:
        yield
    except error:
        raise not_found(f"The {noun} was deleted meanwhile.") from None


class AnswerStore:
    """The stored answer to a request with an Idempotency-Key; without `key` nothing is found or stored."""

    def __init__(self, request: HttpRequest, key: str) -> None:
        self._token = caller_of(request).token
        self._key = hashlib.sha256(key.encode()).hexdigest() if key else ""
        self._request = hashlib.sha256(
            b"\0".join([str(request.method).encode(), request.get_full_path().encode(), request.body])
        ).hexdigest()

    def former(self) -> HttpResponse | None:
        """What the request was answered before. Raises ProblemError where the key was another request's."""
        stored = StoredAnswer.objects.filter(token=self._token, key=self._key).first() if self._key else None
        if stored is None:
            return None
        if stored.request != self._request:
            raise ProblemError(409, "key_used", "This Idempotency-Key was sent with another request before.")
        headers = {**stored.headers, "Idempotency-Replayed": "true"}
        return HttpResponse(stored.body, status=stored.status, headers=headers)

    def store(self, response: HttpResponse) -> None:
        """Store the answer, in the transaction of the write. Raises IntegrityError where it is stored."""
        if self._key:
            StoredAnswer.objects.create(
                token=self._token,
                key=self._key,
                request=self._request,
                status=response.status_code,
                headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
                body=response.content.decode(),
                at=timezone.now(),
            )


def answers_of(request: HttpRequest, how: WriteQuery) -> AnswerStore:
    """The answers to this request. Raises ProblemError for a key that is none."""
    key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
    if not _KEY.fullmatch(key):
        limit = f"An Idempotency-Key has at most {LONGEST_KEY} characters, of ASCII and without spaces."
        raise ProblemError(400, "key", limit)
    key = "" if how.dry_run else key
    return AnswerStore(request, key)


def refuse_warnings(how: WriteQuery, findings: Sequence[Mapping[str, str]]) -> None:
    """Raise ProblemError where a strict write has findings."""
    if how.strict and findings:
        raise invalid(findings, "It has warnings, and you asked for a strict check. Nothing was saved.")


def answered_write(
    data: Mapping[str, Any] | None,
    how: WriteQuery,
    status: int = 200,
    *,
    warnings: Sequence[Mapping[str, str]] = (),
    effect: Any = None,
    location: str = "",
) -> HttpResponse:
    """The answer to a write: the resource as it is then, the warnings, and what else it does."""
    body = {"data": data, "warnings": list(warnings), "effect": effect, "dry_run": how.dry_run}
    headers = {"ETag": data["etag"]} if data and "etag" in data and not how.dry_run else {}
    if location and not how.dry_run:
        headers["Location"] = location
    return answered(body, 200 if how.dry_run else status, headers=headers)
