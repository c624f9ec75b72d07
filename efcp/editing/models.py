"""The lock by which the panel's writers take turns at a table of OpenSIPS's, and batches of changes."""

from django.db import models

from efcp.jobs.models import JobRun


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


class BatchKind(models.TextChoices):
    """Where the changes of a batch come from."""

    EDIT = "edit", "Edit"
    IMPORT = "import", "Import"
    UNDO = "undo", "Undo"


class BatchState(models.TextChoices):
    """How far a batch is. Nothing of it is in the table before it is applied."""

    MAPPING = "mapping", "Columns to match"
    CHECKING = "checking", "Being checked"
    READY = "ready", "To be confirmed"
    APPLYING = "applying", "Being applied"
    APPLIED = "applied", "Applied"
    REFUSED = "refused", "Refused"


class Batch(models.Model):
    """Many changes of one table, which are written together or not at all.

    `arguments` are what the changes are computed from; `counts` the rows by kind; `effect` what the changes
    do beside the rows; `conflicts` why it was refused: (number of a row, text). `write_id` is that of its
    audit records. `address` and `token` are those of the audit, for what a job writes.
    """

    table = models.CharField(max_length=32)
    kind = models.CharField(max_length=8, choices=BatchKind.choices)
    state = models.CharField(max_length=8, choices=BatchState.choices)
    title = models.CharField(max_length=255)
    reason = models.CharField(max_length=255, blank=True, default="")
    actor = models.CharField(max_length=64)
    address = models.CharField(max_length=45, blank=True, default="")
    token = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    arguments = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    effect = models.JSONField(default=list)
    conflicts = models.JSONField(default=list)
    write_id = models.CharField(max_length=32, null=True, unique=True)
    undoes = models.ForeignKey("self", models.SET_NULL, null=True, related_name="undone_by")
    job = models.ForeignKey(JobRun, models.SET_NULL, null=True)

    class Meta:
        db_table = "efcp_batch"
        ordering = ("-id",)
        indexes = (models.Index(fields=["table", "-id"], name="efcp_batch_table"),)

    def __str__(self) -> str:
        return f"{self.title}: {self.state}"

    @property
    def total(self) -> int:
        """How many rows it writes."""
        return sum(self.counts.get(kind, 0) for kind in ("new", "changed", "gone"))


class BatchRow(models.Model):
    """One row of a batch. `before` and `after` are its columns in the order of the table's, None for no row.

    `row_id` is the row's id: of one to add once it is added. `findings` are (column, severity, text); `line`
    is its line in the imported file, 0 for none. Rows that stay the same have no columns but a `label`.
    """

    batch = models.ForeignKey(Batch, models.CASCADE)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8)
    row_id = models.BigIntegerField(null=True)
    label = models.CharField(max_length=255)
    line = models.PositiveIntegerField(default=0)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    findings = models.JSONField(default=list)

    class Meta:
        db_table = "efcp_batch_row"
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=["batch", "number"], name="efcp_batch_row_once"),)
        indexes = (models.Index(fields=["batch", "kind", "number"], name="efcp_batch_row_kind"),)

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} {self.label}"
