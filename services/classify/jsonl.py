"""`valise classify`: tags without a server, as JSON Lines in the order read, or for one file."""

import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from services.classify import ner
from services.classify.classifier import classify_texts, load_data
from services.runtime.reasons import reason

CHUNK = 16
"""Lines per task: enough to hide the cost of passing them, few enough to keep a stream moving."""
AHEAD = 3
"""Chunks under way per process: memory stays flat however long the input is."""
FEW = 200
"""The first lines are done in this process: other processes take longer to start than those."""
PAUSE_SECONDS = 0.02
"""When no line comes for so long, what was read is worked on: a slow stream is answered too."""
MOST_CHARACTERS = 5_000_000
"""Of subject and body together: beyond any note (2,000,000), below what would exhaust memory."""

Write = Callable[[bytes], Any]
Read = Callable[[bytes], tuple[str, str, str | None]]


def run(lines: Iterable[bytes], write: Write, workers: int | None = None) -> None:
    """Answer each line with one line, in order, as a stream.

    `lines` are JSON objects with `id`, `subject` and `body` (or `title` and `text`), `post`; blank
    lines are left out. `write` takes each answer with its line end. `workers`: processes, by
    default one per core. A bad line gives `{"id", "error"}` in its place. Raises Misconfigured
    where the language model is missing.
    """
    ner.check()
    wanted = (line for line in lines if line.strip())
    count = workers or _cores()
    here = wanted if count == 1 else islice(wanted, FEW)
    for line in here:
        write(_encode(answer(line)))
    more = next(wanted, None)
    if more is not None:
        _run_on_all(chain([more], wanted), write, count)


def _run_on_all(lines: Iterable[bytes], write: Write, count: int) -> None:
    """Answer the lines with so many processes, in order."""
    read: Queue[bytes | BaseException | None] = Queue(CHUNK * AHEAD)
    Thread(target=_read_into, args=(lines, read), name="lines", daemon=True).start()
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=load_data
    )
    under_way: deque[Future[list[bytes]]] = deque()
    try:
        for chunk in _chunks(read):
            if chunk:
                under_way.append(pool.submit(_answer_chunk, chunk))
            while under_way and (len(under_way) >= count * AHEAD or under_way[0].done()):
                _write_all(under_way.popleft().result(), write)
        while under_way:
            _write_all(under_way.popleft().result(), write)
    finally:
        pool.shutdown(cancel_futures=True)


def classify_file(path: Path, read: Read) -> dict[str, Any]:
    """The answer for a text file, its name as `id`.

    `read` gives subject, body and post in a file's bytes, ValueError (in French) where there are
    none.
    """
    try:
        subject, body, post = read(path.read_bytes())
    except OSError as error:
        return {"id": path.name, "error": f"fichier illisible : {reason(error)}"}
    except ValueError as error:
        return {"id": path.name, "error": str(error)}
    return _tags(path.name, subject, body, post)


def answer(line: bytes) -> dict[str, Any]:
    """The answer to one line. Never raises for what the line holds."""
    try:
        given = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return {"id": None, "error": "ligne illisible : un objet JSON en UTF-8 est attendu"}
    if not isinstance(given, dict):
        return {"id": None, "error": "un objet JSON est attendu"}
    note_id = given.get("id")
    texts = [_text(given, "subject", "title"), _text(given, "body", "text")]
    if any(not isinstance(text, str) for text in texts):
        return {"id": note_id, "error": "l'objet et le corps doivent être des textes"}
    if sum(map(len, texts)) > MOST_CHARACTERS:
        return {"id": note_id, "error": f"texte trop long (plus de {MOST_CHARACTERS} caractères)"}
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return {"id": note_id, "error": "caractère Unicode invalide (demi-code isolé)"}
    post = given.get("post")
    subject, body = texts
    return _tags(note_id, subject, body, post if isinstance(post, str) else None)


def _tags(note_id: Any, subject: str, body: str, post: str | None) -> dict[str, Any]:
    tags = classify_texts(subject, body, post)
    return {"id": note_id, **tags.model_dump(mode="json", exclude_none=True)}


def _text(given: dict[str, Any], *names: str) -> Any:
    """The first of these fields that is there; nothing said is an empty text."""
    return next((given[name] for name in names if given.get(name) is not None), "")


def _encode(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _answer_chunk(lines: list[bytes]) -> list[bytes]:
    return [_encode(answer(line)) for line in lines]


def _write_all(answers: Iterable[bytes], write: Write) -> None:
    for found in answers:
        write(found)


def _read_into(lines: Iterable[bytes], read: "Queue[bytes | BaseException | None]") -> None:
    """Pass the lines on, then how reading ended: None, or the error."""
    try:
        for line in lines:
            read.put(line)
    except BaseException as error:
        read.put(error)
    else:
        read.put(None)


def _chunks(read: "Queue[bytes | BaseException | None]") -> Iterator[list[bytes]]:
    """Lines as they come, a chunk at once; what there is, even nothing, after a pause."""
    chunk: list[bytes] = []
    while True:
        try:
            line = read.get(timeout=PAUSE_SECONDS)
        except Empty:
            yield chunk
            chunk = []
            continue
        if isinstance(line, BaseException):
            raise line
        if line is None:
            yield chunk
            return
        chunk.append(line)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
