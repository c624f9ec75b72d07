"""Taking an uploaded call log from the request straight to its place on disk, never whole in memory."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.http import HttpRequest

from efcp.preview.models import upload_path

FIELD = "log"
CHUNK_BYTES = 1 << 20
KEPT_FREE = 200_000_000
"""Bytes of the disk that an upload leaves to the panel's other needs."""


def refusal(request: HttpRequest) -> str:
    """Why the request's upload is not to be read at all; empty where it may be."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if announced > settings.UPLOAD_MAX:
        return f"The file is larger than {largest()}, the most that may be uploaded (EFCP_UPLOAD_MAX)."
    folder = upload_path("")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if announced + KEPT_FREE > shutil.disk_usage(folder).free:
        return "The panel's disk has no room for this file."
    return ""


def largest() -> str:
    """How large an upload may be, for people; in powers of ten, as the setting."""
    return f"{settings.UPLOAD_MAX / 1e6:,.0f} MB"


class ReceivedLog(UploadedFile[bytes]):
    """A file that is in its place; `token` is its name there."""

    def __init__(self, file: BinaryIO, name: str, size: int, token: str) -> None:
        super().__init__(file=file, name=name, size=size)
        self.token = token

    @property
    def path(self) -> Path:
        """Where it is."""
        return upload_path(self.token)


class LogUploadHandler(FileUploadHandler):
    """Writes the file of the field `log` to disk under a made-up name; leaves out any other.

    What is not claimed by a view is deleted by `discard`.
    """

    chunk_size = CHUNK_BYTES

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.problem = ""
        self.claimed = False
        self._token = ""
        self._file: BinaryIO | None = None

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        """Open the file on disk."""
        super().new_file(field_name, *args, **kwargs)
        if field_name != FIELD or self._token:
            raise SkipFile
        self._token = secrets.token_hex(16)
        # For the panel alone: logs tell who called whom.
        descriptor = os.open(upload_path(self._token), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write what came."""
        if self._file is None:
            return
        try:
            self._file.write(raw_data)
        except OSError as error:
            self._tell(error)
            raise StopUpload from None

    def file_complete(self, file_size: int) -> ReceivedLog | None:
        """Close the file; it is then in the request's FILES."""
        file, self._file = self._file, None
        if file is None or self.problem:
            return None
        try:
            file.close()
        except OSError as error:
            self._tell(error)
            return None
        return ReceivedLog(file, self.file_name or "", file_size, self._token)

    def discard(self) -> None:
        """Delete what was written, unless a view has claimed it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._token and not self.claimed:
            upload_path(self._token).unlink(missing_ok=True)

    def _tell(self, error: OSError) -> None:
        self.problem = f"The file could not be stored: {error.strerror}."
