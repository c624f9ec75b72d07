"""What the sandbox remembers."""

from django.db import models


class SampleDecision(models.Model):
    """The one row (id 1) that says that the question of samples was settled: they are never written again."""

    at = models.DateTimeField()
    written = models.BooleanField()

    class Meta:
        db_table = "efcp_sample_decision"

    def __str__(self) -> str:
        return f"samples {'written' if self.written else 'not wanted'} at {self.at}"


class SampleGateway(models.Model):
    """A port on loopback that the samples name, and whether the gateway there answers."""

    port = models.PositiveIntegerField(primary_key=True)
    answers = models.BooleanField(default=True)

    class Meta:
        db_table = "efcp_sample_gateway"

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"
