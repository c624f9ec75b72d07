"""Answers to writes that came with an Idempotency-Key."""

from datetime import datetime, timedelta

from django.db import models

from efcp.accounts.models import ApiToken

ANSWERS_KEPT_FOR = timedelta(days=3)


class StoredAnswer(models.Model):
    """The answer to a POST, stored in the transaction of its write: a repeated one gets the same.

    `key` is a digest of the client's key, `request` one of method, address and body.
    """

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "efcp_api_answer"
        constraints = (models.UniqueConstraint(fields=["token", "key"], name="efcp_api_answer_once"),)

    def __str__(self) -> str:
        return f"{self.status} at {self.at}"


def prune_answers(now: datetime) -> int:
    """Delete answers older than ANSWERS_KEPT_FOR; return how many."""
    deleted, _by_model = StoredAnswer.objects.filter(at__lt=now - ANSWERS_KEPT_FOR).delete()
    return deleted
