"""Requests to other machines on behalf of users: in the background, shared, or in a limited number.

A page does not wait for a proxy: a question runs in the background, and everybody who asks the same shares
its answers. Only the buttons that test one address wait, MOST_REQUESTS at a time.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from efcp.mi import MiClient
from efcp.proxies.fan_out import Answer, Target, ask, fan_out, in_background
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import SharedAnswer, SharedQuestion

MOST_REQUESTS = 4
"""Requests of one process that wait for a proxy or another server, of all people together."""

_request_slots = threading.BoundedSemaphore(MOST_REQUESTS)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def waits_for_others(view: View[P]) -> View[P]:
    """Limit a view that connects to another machine within its request; beyond it, 503."""

    @wraps(view)
    def limited(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _request_slots.acquire(blocking=False):
            text = f"{MOST_REQUESTS} tests are in progress: try again in a few seconds. Nothing was sent."
            if request.headers.get("HX-Request") == "true":
                # htmx shows no answer that is an error.
                return HttpResponse(f'<div class="notice notice-warning" role="alert">{text}</div>')
            return HttpResponse(text, status=503, content_type="text/plain", headers={"Retry-After": "5"})
        try:
            return view(request, *args, **kwargs)
        finally:
            _request_slots.release()

    return limited


MOST_AT_ONCE = 4
"""Questions that one process carries out at a time; each takes a thread for every proxy."""

SHARED_FOR = timedelta(seconds=5)
"""How long after its end the answers of a question are shown to who asks the same."""

_SLACK_S = 4.0
_slots = threading.BoundedSemaphore(MOST_AT_ONCE)

T = TypeVar("T")


class QuestionsBusyError(Exception):
    """As many questions as may be are under way; no proxy was asked."""


@dataclass(frozen=True, slots=True)
class Survey(Generic[T]):
    """What to ask each of `targets`: `question` within `limit_s` seconds per call, `whole_s` for all calls.

    `encode` makes the text that is stored of an answer; it may use the database, `question` must not.
    """

    key: str
    title: str
    targets: Sequence[Target]
    question: Callable[[MiClient], T]
    encode: Callable[[Answer[T]], str]
    limit_s: float
    whole_s: float


def key_of(kind: str, *parts: object) -> str:
    """The key of a question of this kind, the same for equal parts."""
    return f"{kind}:{hashlib.sha256(repr(parts).encode('utf-8', 'surrogatepass')).hexdigest()}"


def begin(survey: Survey[T], actor: str) -> SharedQuestion:
    """Start the requests in the background, or share those that run or ran within SHARED_FOR.

    Raises QuestionsBusyError.
    """
    shared = SharedQuestion.objects.filter(key=survey.key).exclude(_may_begin(timezone.now())).first()
    if shared is not None:
        return shared
    if not _slots.acquire(blocking=False):
        raise QuestionsBusyError("The panel is busy with other queries: try again in a few seconds.")
    is_new = False
    try:
        question, is_new = _claim(survey, actor)
        if is_new:
            in_background(lambda: _carry_out(survey, question.pk, question.started_at), "question")
    finally:
        if not is_new:
            _slots.release()
    return question


def is_open(question: SharedQuestion | None) -> bool:
    """Whether answers may still come."""
    return question is not None and question.ended_at is None and question.deadline >= timezone.now()


def _may_begin(now: datetime) -> Q:
    """Whether a question is neither under way nor answered just now."""
    return Q(ended_at=None, deadline__lt=now) | Q(ended_at__lt=now - SHARED_FOR)


@retried_on_lock
def _claim(survey: Survey[T], actor: str) -> tuple[SharedQuestion, bool]:
    """The question, and whether this caller has to execute it."""
    now = timezone.now()
    columns = {
        "title": survey.title[:300],
        "actor": actor,
        "started_at": now,
        "deadline": now + timedelta(seconds=survey.whole_s + _SLACK_S),
        "ended_at": None if survey.targets else now,
    }
    with transaction.atomic():
        question, is_new = SharedQuestion.objects.get_or_create(key=survey.key, defaults=columns)
        again = SharedQuestion.objects.filter(_may_begin(now), pk=question.pk)
        if not is_new and not again.update(**columns):
            return question, False
        question.answers.all().delete()
        SharedAnswer.objects.bulk_create(
            SharedAnswer(question=question, proxy=target.proxy) for target in survey.targets
        )
        question.refresh_from_db()
    return question, bool(survey.targets)


def _carry_out(survey: Survey[T], question_id: int, started_at: datetime) -> None:
    @retried_on_lock
    def store(answer: Answer[T]) -> None:
        SharedAnswer.objects.filter(
            question_id=question_id, question__started_at=started_at, proxy_id=answer.proxy.pk
        ).update(text=survey.encode(answer), answered_at=timezone.now())

    try:
        fan_out(survey.targets, lambda target: ask(target, survey.question, survey.limit_s), store)
        _end(question_id, started_at)
    finally:
        _slots.release()


@retried_on_lock
def _end(question_id: int, started_at: datetime) -> None:
    SharedQuestion.objects.filter(pk=question_id, started_at=started_at).update(ended_at=timezone.now())
