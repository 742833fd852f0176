"""The process that reads one file: a request on standard input, the documents on standard output.

It confines itself before it looks at the file, and says which document it is about to read:
should it die of one, the service knows of which, and starts another for the rest.
"""

import json
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from schemas.marks import Marks
from services.ingest.formats import beforehand, documents, sandbox
from services.ingest.formats.frames import HEAD, frame
from services.ingest.formats.model import Document, Unreadable

NICENESS = 5
"""Below the service's own: an answer that is ready goes out first."""


def main(asked: BinaryIO, answers: BinaryIO) -> None:
    """Read the request, then each document from number `start` on, then say that it is the end."""
    text, size = HEAD.unpack(asked.read(HEAD.size))
    request = json.loads(asked.read(text))
    data = asked.read(size)
    beforehand.load()
    sandbox.confine(request["memory"], request["seconds"])
    parts = documents.parts(data, request["name"], request["media_type"])
    for number, part in enumerate(parts):
        if number >= request["start"]:
            _say(answers, frame({"reading": part.name}))
            _say(answers, _answer(documents.read(part), data))
    _say(answers, frame({"end": True}))


def _answer(found: Document | Unreadable, data: bytes) -> bytes:
    if isinstance(found, Unreadable):
        return frame(asdict(found) | {"marks": _said(found.marks)})
    same = found.original is data  # the service has it already
    said = {
        "name": found.name,
        "media_type": found.media_type,
        "fields": dict(found.fields),
        "subject": found.subject,
        "body": found.body,
        "attachments": found.attachments,
        "marks": _said(found.marks),
        "unseen": found.unseen,
        "holds": found.holds,
        "accompanies": found.accompanies,
        "forwarded": found.forwarded,
        "guessed": found.guessed,
        "same": same,
    }
    return frame(said, b"" if same else found.original)


def _said(marks: Marks) -> dict[str, Any]:
    return asdict(marks) | {"levels": sorted(marks.levels)}


def _say(answers: BinaryIO, message: bytes) -> None:
    answers.write(message)
    answers.flush()


if __name__ == "__main__":
    os.nice(NICENESS)
    try:
        main(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(1)  # nobody waits any more
