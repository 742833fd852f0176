"""A file and its metadata in the body of a request (`multipart/form-data`)."""

from dataclasses import dataclass
from typing import Self

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.ingest.body import counted
from services.runtime.problems import ProblemError
from services.runtime.reasons import away

FILE, METADATA = "file", "metadata"

METADATA_BYTES = 64 * 1024
"""Longest metadata: every field of a note but its text, at their usual lengths, takes a tenth."""

OVERHEAD_BYTES = METADATA_BYTES + 16 * 1024
"""What a body may have beside the file: the metadata, the headers of both parts, the boundaries."""


SPOOL_BYTES = 64 * 1024
"""A file that is longer waits on the disk until it is read: a slow sender takes no memory."""


@dataclass(frozen=True, slots=True)
class Form:
    """A file as it was sent: its size in bytes, its name and type as the sender says, its metadata
    (JSON, None where there is none). To be entered: the file is closed with the block."""

    file: UploadFile
    size: int
    name: str
    media_type: str | None
    metadata: bytes | None

    async def content(self) -> bytes:
        """The bytes of the file, which are there once."""
        content = await self.file.read()
        await self.file.close()
        return content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.file.close()


async def read_form(request: Request, limit: int) -> Form:
    """The form in the body, its file of at most `limit` bytes. Raises ProblemError.

    400 for what is no such form, 413 before more than that is kept, 422 without a file or with
    other parts than `file` and `metadata`. Raises Unavailable where the disk is full.
    """
    parser = MultiPartParser(
        request.headers,
        counted(request, limit + OVERHEAD_BYTES),
        max_files=2,
        max_fields=1,
        max_part_size=METADATA_BYTES,
    )
    parser.spool_max_size = SPOOL_BYTES
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError):
        # KeyError: without a boundary.
        raise ProblemError(
            400,
            "Formulaire illisible",
            "Un formulaire « multipart/form-data » est attendu : une partie « file » (le "
            "document) et, au besoin, une partie « metadata » (un objet JSON de 64 Ko au plus).",
        ) from None
    except OSError as error:
        raise away(f"no room for the body: {error}", error) from error
    try:
        return await _read(form, limit)
    except BaseException:
        await form.close()
        raise


async def _read(form: FormData, limit: int) -> Form:
    file = form.get(FILE)
    others = set(form) - {FILE, METADATA}
    if others or not isinstance(file, UploadFile) or len(form.multi_items()) > len(form):
        raise ProblemError(
            422,
            "Envoi refusé",
            "Une partie « file » avec un nom de fichier est attendue, et au plus une partie "
            "« metadata ».",
            [{"field": FILE, "detail": "un fichier, et un seul, est attendu"}],
        )
    size = file.size or 0
    if size > limit:
        raise ProblemError(413, detail=f"Le fichier dépasse la taille admise de {limit} octets.")
    metadata = await _bytes(form.get(METADATA))
    return Form(file, size, _name(file.filename or ""), file.content_type, metadata)


async def _bytes(part: UploadFile | str | None) -> bytes | None:
    if part is None:
        return None
    if isinstance(part, str):
        return part.encode("utf-8", "replace")
    return await part.read(METADATA_BYTES)


def _name(given: str) -> str:
    """The file's name without the folders that some clients put before it."""
    name = given.replace("\\", "/").rpartition("/")[2].strip()
    return name.encode("utf-8", "replace").decode()[-200:] or "document"
