"""Audit records."""

from django.db import models


class AuditRecord(models.Model):
    """One write: who, when, from where, on what, before and after, and why if a reason was given.

    The subject is stored by kind and id, not by a foreign key: other programs write OpenSIPS's
    tables, and a record outlives its subject. The writes of one request share `write_id` and are numbered
    from 1, so that the outcome of each can be looked up after the connection to the database is lost.
    `token` names the API token that the actor used, if any.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=64)
    token = models.CharField(max_length=64, blank=True, default="")
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=32)
    subject_kind = models.CharField(max_length=32)
    subject_id = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=255)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=255, blank=True)
    write_id = models.CharField(max_length=32, null=True)
    write_number = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "efcp_audit"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["write_id", "write_number"], name="efcp_audit_write"),)
        indexes = (
            models.Index(fields=["subject_kind", "subject_id", "id"], name="efcp_audit_subject"),
            models.Index(fields=["subject_kind", "id"], name="efcp_audit_kind"),
            models.Index(fields=["actor", "id"], name="efcp_audit_actor"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.subject_kind} {self.subject_label}"


class AuditForwarding(models.Model):
    """How far audit records were sent to the syslog receiver; one row.

    `missing` are ids below `sent_id` that may still be committed, each with the Unix time at which it was
    passed over.
    """

    sent_id = models.BigIntegerField()
    missing = models.JSONField(default=list)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        db_table = "efcp_audit_forwarding"

    def __str__(self) -> str:
        return f"sent up to {self.sent_id}"
