"""Uploaded files: received straight onto the disk, under a token for a name, and bounded."""

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

CHUNK_BYTES = 1 << 20
KEPT_FREE = 200_000_000
"""Bytes of the disk that an upload leaves to the panel's other needs."""


def upload_path(token: str) -> Path:
    """The file of an upload."""
    return Path(settings.UPLOAD_DIR) / token


def refusal(request: HttpRequest, limit: int | None = None) -> str:
    """Why the upload is refused before it is read; empty where it is not. `limit` is one below UPLOAD_MAX."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if limit is not None and announced > limit:
        return f"The file exceeds the limit of {limit / 1e6:,.0f} MB."
    if announced > settings.UPLOAD_MAX:
        return f"The file exceeds the upload limit of {largest()} (EFCP_UPLOAD_MAX)."
    folder = upload_path("")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if announced + KEPT_FREE > shutil.disk_usage(folder).free:
        return "Not enough disk space for this file."
    return ""


def largest() -> str:
    """The largest upload, for people; in powers of ten, like the setting."""
    return f"{settings.UPLOAD_MAX / 1e6:,.0f} MB"


class ReceivedFile(UploadedFile[bytes]):
    """An upload on disk, under the name `token`."""

    def __init__(self, file: BinaryIO, name: str, size: int, token: str) -> None:
        super().__init__(file=file, name=name, size=size)
        self.token = token

    @property
    def path(self) -> Path:
        """The file on disk."""
        return upload_path(self.token)


class FileToDiskHandler(FileUploadHandler):
    """Writes the file of one field straight to disk, never whole in memory; ignores any other file.

    `discard` deletes a file that no view has claimed.
    """

    chunk_size = CHUNK_BYTES

    def __init__(self, request: HttpRequest, field: str) -> None:
        super().__init__(request)
        self._field = field
        self.problem = ""
        self.claimed = False
        self._token = ""
        self._file: BinaryIO | None = None

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        """Open the file on disk."""
        super().new_file(field_name, *args, **kwargs)
        if field_name != self._field or self._token:
            raise SkipFile
        self._token = secrets.token_hex(16)
        # For the panel alone: a log shows who called whom, a table has passwords.
        descriptor = os.open(upload_path(self._token), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a chunk."""
        if self._file is None:
            return
        try:
            self._file.write(raw_data)
        except OSError as error:
            self._fail(error)
            raise StopUpload from None

    def file_complete(self, file_size: int) -> ReceivedFile | None:
        """Close the file; it is then in the request's FILES."""
        file, self._file = self._file, None
        if file is None or self.problem:
            return None
        try:
            file.close()
        except OSError as error:
            self._fail(error)
            return None
        return ReceivedFile(file, self.file_name or "", file_size, self._token)

    def discard(self) -> None:
        """Delete the file, unless a view has claimed it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._token and not self.claimed:
            upload_path(self._token).unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self.problem = f"The file could not be stored: {error.strerror}."
