"""The lock by which the panel's writers take turns at a table of OpenSIPS's."""

from django.db import models


class TableLock(models.Model):
    """One row for each table of OpenSIPS's that the panel writes to.

    Each transaction that writes to the table updates its row first, so that InnoDB lets one of them go on at
    a time, and a Galera cluster refuses the second of two at its COMMIT. `writes` counts them.
    """

    name = models.CharField(max_length=64, primary_key=True)
    writes = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "efcp_table_lock"

    def __str__(self) -> str:
        return f"{self.name}: {self.writes} writes"
