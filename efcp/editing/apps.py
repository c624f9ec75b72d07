"""How rows of OpenSIPS's tables are edited."""

from django.apps import AppConfig


class EditingConfig(AppConfig):
    """Guarded and serialized writes, of one row or of many."""

    name = "efcp.editing"
    label = "editing"
    verbose_name = "Editing"

    def ready(self) -> None:
        """Register the job that checks and writes batches, and their cleanup."""
        from efcp.editing import batches, importing
        from efcp.editing.models import BatchKind
        from efcp.jobs import cleanup, job_types

        batches.register_source(BatchKind.IMPORT, importing.rows_of_import)
        job_types.register(batches.RUN_BATCH)
        cleanup.register("batches", batches.delete_old)
