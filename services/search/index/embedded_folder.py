"""The folder of the embedded index: opened whole, or set aside and begun again.

The log is the truth: a folder that another version made or that is damaged costs a replay, never a
note.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import tantivy

from services.runtime.errors import Misconfigured
from services.search.data import table
from services.search.index.embedded_schema import TIE, register_tokenizers, schema

log = logging.getLogger(__name__)

LAYOUT = 2
"""Raise it when documents are made otherwise under the same tables."""
WRITER_BYTES = 64 * 1024 * 1024
"""Memory of the writer: four times tantivy's minimum; batches of 200 notes never fill it."""
WRITER_THREADS = 1
"""One: a batch is small, and the machine has searches to answer."""

_MADE_BY = "valise.json"
_MADE_BY_DRAFT = "valise.new"
_WRITER_LOCK = ".tantivy-writer.lock"
_FILLING, _FILLED, _OLD = "filling", "filled", "old"
_LEFT_OVER = (_FILLING, _FILLED, _OLD)


def open_index(path: Path) -> tuple[tantivy.Index, str]:
    """The index of this folder and its generation, a name that another index never has.

    Made where there is none, begun again under a new generation where it cannot be read. Raises
    Misconfigured where another process has it, or where the folder cannot be written.
    """
    try:
        settle(path)
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()) and not _readable(path):
            _set_aside(path)
        generation = _generation(path)
    except OSError as error:
        raise Misconfigured(f"le dossier de l'index {path} est inutilisable : {error}") from error
    return _opened(path), generation


def _generation(path: Path) -> str:
    """The generation kept in the folder; a new one, kept from now on, where there is none."""
    made_by = path / _MADE_BY
    if made_by.exists():
        return str(json.loads(made_by.read_text(encoding="utf-8"))["generation"])
    generation = uuid4().hex
    _keep_generation(path, generation)
    return generation


def _keep_generation(path: Path, generation: str) -> None:
    kept = {"fingerprint": fingerprint(), "generation": generation}
    # Renamed into place, so that a crash leaves all of it or nothing.
    draft = path / _MADE_BY_DRAFT
    draft.write_text(json.dumps(kept), encoding="utf-8")
    draft.rename(path / _MADE_BY)


def filling(path: Path) -> Path:
    """The folder in which a rebuild fills the index that is to take this one's place."""
    return path.with_name(f"{path.name}.{_FILLING}")


def exchange(path: Path, generation: str) -> None:
    """Put the folder that a rebuild has filled in the place of the one in use.

    Both must be closed. Killed at any point, `settle` finds one whole index. Raises OSError.
    """
    _keep_generation(filling(path), generation)
    filled, old = (path.with_name(f"{path.name}.{name}") for name in (_FILLED, _OLD))
    # The name says that nothing is missing from it; until the next line the old one is in use.
    filling(path).rename(filled)
    path.rename(old)
    filled.rename(path)
    _sync(path.parent)


def settle(path: Path) -> None:
    """End an exchange that was cut short, and remove what rebuilds have left over.

    For the folder's only process. Raises OSError.
    """
    filled = path.with_name(f"{path.name}.{_FILLED}")
    if filled.exists() and not path.exists():
        filled.rename(path)
        _sync(path.parent)
    for name in _LEFT_OVER:
        left = path.with_name(f"{path.name}.{name}")
        if left.exists():
            shutil.rmtree(left)


def _sync(folder: Path) -> None:
    """Have the folder's names on the disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def open_writer(index: tantivy.Index, path: Path) -> tantivy.IndexWriter:
    """The one writer of the folder. Raises Misconfigured where another process has it."""
    try:
        return index.writer(heap_size=WRITER_BYTES, num_threads=WRITER_THREADS)
    except ValueError as error:
        if "LockBusy" in str(error):
            raise _in_use(path) from None
        raise


def fingerprint() -> str:
    """What an index was made with: it changes when a rebuild is needed."""
    tables = [table("fields"), table("analysis"), LAYOUT]
    return sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _opened(path: Path) -> tantivy.Index:
    index = tantivy.Index(schema(), path=str(path))
    register_tokenizers(index)
    # We reload ourselves after each commit: tantivy's own watcher would do it half a second later.
    index.config_reader("manual")
    index.reload()
    return index


def _readable(path: Path) -> bool:
    try:
        made_by = json.loads((path / _MADE_BY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        # The process died between making the folder and its first file.
        return {entry.name for entry in path.iterdir()} <= {_WRITER_LOCK, _MADE_BY_DRAFT}
    except ValueError:
        return False
    if made_by.get("fingerprint") != fingerprint() or "generation" not in made_by:
        return False
    with panics_as_errors():
        try:
            searcher = _opened(path).searcher()
            searcher.search(tantivy.Query.all_query(), limit=1, order_by_field=TIE)
        except ValueError as error:
            log.warning("index damaged", extra={"path": str(path), "reason": str(error)})
            return False
    return True


def _set_aside(path: Path) -> None:
    with (path / _WRITER_LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(path) from None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = path.with_name(f"{path.name}.aside-{stamp}")
        path.rename(aside)
    path.mkdir()
    log.warning("index set aside", extra={"path": str(path), "aside": str(aside)})


def _in_use(path: Path) -> Misconfigured:
    return Misconfigured(f"le dossier de l'index {path} est employé par un autre processus")


@contextlib.contextmanager
def panics_as_errors() -> Iterator[None]:
    """tantivy meets some damage with a panic, which is no Exception in Python."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise ValueError(f"tantivy panicked: {error}") from None
        raise
