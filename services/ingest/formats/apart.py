"""Reading files in a process of its own, which may be slow, greedy or taken over: nothing comes
of it.

Each file gets a new process (a third of a second) that knows no secret of the service, has
limits of memory and time, and can open no file and no connection (`sandbox`). A document that it
dies of costs that document alone: the rest of an archive is read by the next process.
"""

import asyncio
import json
import logging
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import services
from schemas.marks import Level, Marks
from schemas.vocabulary import Marking
from services.ingest.formats.documents import complete, extract, harmless
from services.ingest.formats.frames import HEAD, head
from services.ingest.formats.model import MAX_FILE_BYTES, Document, Unreadable
from services.ingest.formats.turns import Asker, Turn, Turns
from services.runtime.errors import Unavailable

logger = logging.getLogger(__name__)

MEMORY_BYTES = 640 * 1024 * 1024
"""Address space of the process, of which it has 60 MB before it reads anything. The rest is for the
tree of an XML document, ten times its length and more: the longest note (2,000,000 characters in
4,000 paragraphs) takes 70 MB in all, a DOCX at the limit of an archive more than there is."""
DOCUMENT_SECONDS = 45.0
"""For one document. The slowest honest one, a PDF of 1,000 full pages, takes 9 s of a core; the
rest is for a busy machine."""
FILE_SECONDS = 180.0
"""For one file with all its documents, in all its turns: an archive of several hundred notes."""
PIECE_BYTES = 1024 * 1024
MOST_DEATHS = 3
"""Of one file's processes, after which the rest of it is not read."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Of one document's text and fields: the longest note, at four bytes a character, and as much
again."""

PROGRAM = ("-m", "services.ingest.formats.child")
"""What Python runs in the process."""

_SLOW = "La lecture du document prend trop de temps : l'enregistrer dans un format plus simple."
_DIED = "Le document ne peut pas être lu : l'enregistrer dans un autre format."
_REST = "La lecture du fichier a été interrompue : envoyer les documents qui manquent un à un."

NOBODY = Asker()


class _Ended(Exception):
    """The process is no longer to be listened to; `detail` is for the sender."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


async def extract_apart(
    data: bytes,
    name: str,
    media_type: str | None = None,
    turns: Turns | None = None,
    asker: Asker = NOBODY,
) -> list[Document | Unreadable]:
    """The same as `extract`, in a child process, when it is this asker's turn.

    A document that the process dies of, or that takes too long, is an `Unreadable` (422). Raises
    OSError where no process can be started, Unavailable where no turn comes before anything is
    read. Cancelled, it ends the process.
    """
    if len(data) > MAX_FILE_BYTES:
        return extract(data, name, media_type)  # refused by its length alone
    file, turns = _File(data, name, media_type), turns or Turns()
    while not file.ended:
        try:
            async with turns.turn(asker) as turn:
                await file.read_on(turn)
        except Unavailable:
            if not file.found:
                raise
            file.interrupt()
        asker = asker.slower()
    # Off the event loop: large attachments are hashed.
    return await asyncio.to_thread(complete, file.found)


class _File:
    """One file that is read in one turn or several: what was found in it, and what is left to it of
    time and of deaths."""

    def __init__(self, data: bytes, name: str, media_type: str | None) -> None:
        self.found: list[Document | Unreadable] = []
        self.ended = False
        self._data = data
        self._name = name
        self._media_type = media_type
        self._seconds = FILE_SECONDS
        self._deaths = 0

    async def read_on(self, turn: Turn) -> None:
        """Read until the end or until the turn is over: a quick one ends at once, a slow one with
        the document that is being read."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                if turn.asker.slow:
                    await self._read(turn)
                else:
                    await _unless(turn.over, self._read(turn))
        except TimeoutError:
            logger.warning("extraction: a file took more than %g s", FILE_SECONDS)
            self.interrupt()
        self._seconds -= time.monotonic() - began

    def interrupt(self) -> None:
        """Read no more of it, and say so."""
        detail = _REST if self.found else _DIED
        self.found.append(Unreadable(harmless(self._name), 422, detail))
        self.ended = True

    async def _read(self, turn: Turn) -> None:
        while True:
            await self._read_in_process(turn)
            if self._deaths >= MOST_DEATHS and not self.ended:
                self.interrupt()
            if self.ended or turn.over.is_set():
                return

    async def _read_in_process(self, turn: Turn) -> None:
        """Add to what was found what a new process reads from there on."""
        request = {
            "name": self._name,
            "media_type": self._media_type,
            "start": len(self.found),
            "memory": MEMORY_BYTES,
            "seconds": int(FILE_SECONDS),
        }
        process = await _started()
        sending = asyncio.create_task(_send(process, head(request, len(self._data)), self._data))
        reading, before = None, len(self.found)
        try:
            # Each turn gets on by one document at least.
            while reading is not None or len(self.found) == before or not turn.over.is_set():
                said, original = await _answer(process)
                if "end" in said:
                    self.ended = True
                    return
                if "reading" in said:
                    reading = str(said["reading"])
                else:
                    self.found.append(_result(said, self._data if said.get("same") else original))
                    reading = None
        except _Ended as ended:
            detail = ended.detail
        else:
            return
        finally:
            sending.cancel()
            with suppress(ProcessLookupError):
                process.kill()
            code = await process.wait()
            with suppress(asyncio.CancelledError, OSError):
                await sending
        logger.warning("extraction: the process ended with code %d", code)
        self.found.append(Unreadable(reading or harmless(self._name), 422, detail))
        self._deaths += 1
        # Between two documents it was the file itself that it died of: so would the next.
        self.ended = reading is None


async def _unless(over: asyncio.Event, reading: Coroutine[Any, Any, None]) -> None:
    """Do that until it is done or the event happens; it has ended when this has."""
    tasks = asyncio.create_task(reading), asyncio.create_task(over.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


async def _started() -> Process:
    """A new process: with our code, and nothing of our environment."""
    root = Path(services.__file__).parent.parent
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-s",
        "-P",
        *PROGRAM,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,  # its words may be the document's
        # Without looking for plug-ins: 10 ms, and whatever they would run.
        env={"PYTHONPATH": str(root), "PYTHONUTF8": "1", "PYDANTIC_DISABLE_PLUGINS": "__all__"},
        cwd="/",
    )


async def _send(process: Process, begin: bytes, data: bytes) -> None:
    if process.stdin is not None:
        with suppress(ConnectionError):  # it died: the reading side tells
            process.stdin.write(begin)
            whole = memoryview(data)
            for at in range(0, len(data), PIECE_BYTES):
                # Piece by piece: what the pipe does not take at once is kept in a copy.
                process.stdin.write(whole[at : at + PIECE_BYTES])
                await process.stdin.drain()
            await process.stdin.drain()
            process.stdin.close()


async def _answer(process: Process) -> tuple[dict[str, Any], bytes]:
    """The next message of the process. Raises _Ended where none comes, or none of ours."""
    if process.stdout is None:
        raise _Ended(_DIED)
    try:
        async with asyncio.timeout(DOCUMENT_SECONDS):
            text, size = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
            if text > MAX_ANSWER_BYTES or size > MAX_FILE_BYTES:
                raise _Ended(_DIED)
            said = json.loads(await process.stdout.readexactly(text))
            return dict(said), await process.stdout.readexactly(size)
    except TimeoutError:
        raise _Ended(_SLOW) from None
    except (asyncio.IncompleteReadError, ValueError, TypeError, RecursionError):
        raise _Ended(_DIED) from None


def _result(said: dict[str, Any], original: bytes) -> Document | Unreadable:
    """A document or a refusal as the process told it. Raises _Ended where it is neither."""
    try:
        if "status" in said:
            return Unreadable(
                str(said["name"]),
                int(said["status"]),
                str(said["detail"]),
                classified=said["classified"] is True,
                marks=_marks(said["marks"]),
                unseen=said["unseen"] is not False,
            )
        return Document(
            name=str(said["name"]),
            media_type=str(said["media_type"]),
            original=original,
            fields={str(key): str(value) for key, value in said["fields"].items()},
            subject=str(said["subject"]),
            body=str(said["body"]),
            attachments=tuple(map(str, said["attachments"])),
            marks=_marks(said["marks"]),
            unseen=said["unseen"] is not False,
            holds=tuple(map(str, said["holds"])),
            accompanies=said["accompanies"] is True,
            forwarded=said["forwarded"] is True,
            guessed=tuple(map(str, said["guessed"])),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise _Ended(_DIED) from None


def _marks(said: dict[str, Any]) -> Marks:
    return Marks(
        Marking(said["marking"]),
        special_france=said["special_france"] is not False,
        levels=frozenset(map(Level, said["levels"])),
    )


__all__ = ["extract_apart"]
