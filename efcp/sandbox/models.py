"""What the sandbox remembers."""

from django.db import models


class SampleGateway(models.Model):
    """A port on loopback on which the sandbox plays a gateway of the seeded samples.

    The rows are written once; while there are any, nothing is seeded again.
    """

    port = models.PositiveIntegerField(primary_key=True)
    answers = models.BooleanField(default=True)

    class Meta:
        db_table = "efcp_sample_gateway"

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"
