"""Routes of checked scripts, kept for the previews. Of the script itself nothing is kept."""

from django.db import models


class KeptRoute(models.Model):
    """One call of ds_select_dst in a script, with what its failure leads to (efcp/script/script_routes.py).

    `maximum` is None for all destinations; `failure_route` is empty where none is armed.
    """

    script = models.CharField(max_length=100)
    name = models.CharField(max_length=100, blank=True)
    line = models.PositiveIntegerField()
    setid = models.IntegerField(null=True)
    algorithm = models.IntegerField(null=True)
    flags = models.CharField(max_length=8, null=True)
    maximum = models.IntegerField(null=True)
    threshold = models.IntegerField()
    failure_route = models.CharField(max_length=100, blank=True)
    mark = models.CharField(max_length=1, blank=True)
    tries_next = models.BooleanField()
    armed_again = models.BooleanField()
    last_code = models.IntegerField(null=True)
    kept_at = models.DateTimeField()
    kept_by = models.CharField(max_length=64)

    class Meta:
        db_table = "efcp_script_route"
        ordering = ("script", "line", "id")

    def __str__(self) -> str:
        name = f"route[{self.name}]" if self.name else "the main route"
        known = [f"set {self.setid}" if self.setid is not None else "a set that a variable names"]
        known += [f"algorithm {self.algorithm}"] if self.algorithm is not None else []
        known += [f"flags {self.flags}"] if self.flags else []
        return f"{name}: {', '.join(known)} ({self.script}:{self.line})"
