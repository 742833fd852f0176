"""Backup of the embedded deployment while it serves, and its restoration into a new folder.

A backup holds the log and the registry as they stood at one moment, the original documents that
this registry names, and a manifest written last: a folder without one is no backup. The index is
left out; it is filled again from the log.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from schemas.events import SCHEMA_VERSION
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.originals import Originals
from services.runtime.private import close_folder, close_where_ours
from services.runtime.reasons import reason

FORMAT = 2
"""Of a backup's folder. A higher one is refused: it comes from a newer release. The first had no
originals."""

MANIFEST = "manifest.json"
LOG = "log.sqlite3"
REGISTRY = "registry.sqlite3"
FILES = (REGISTRY, LOG)
ORIGINALS = "originals"

STEP_PAGES = 2_000
"""Pages of 4 KB copied between two reports of progress: 8 MB, some milliseconds on a disk."""
CHUNK = 4 * 1024 * 1024
LOCK_SECONDS = 5.0
"""How long to wait for the registry's one writer."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def silent(_what: str, _done: int, _all: int) -> None:
    """A progress that nobody watches."""


class Damaged(Exception):
    """The backup is not whole, or not one of ours; says which part, in French."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a running embedded deployment has on the disk, but for its index."""

    log: Path
    registry: Path
    originals: Path


def save(source: Source, target: Path, progress: Progress = silent) -> dict[str, Any]:
    """Back up a deployment, serving or stopped; its manifest.

    Raises Misconfigured where the target cannot be used or there is nothing to save, Unavailable
    where the files are locked or the disk is full (what was written is removed).
    """
    for path in (source.log, source.registry):
        if not path.is_file():
            raise Misconfigured(f"rien à sauvegarder : {path} n'existe pas")
    _empty(target)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_where_ours(target)
    try:
        with _one_moment(source) as (registry, log):
            _copy(registry, target / REGISTRY, progress)
            _copy(log, target / LOG, progress)
        # Later than the registry's state: what that names is there, unless it was expunged since.
        kept = _copy_originals(
            _named(target / REGISTRY), source.originals, target / ORIGINALS, progress
        )
        manifest = {
            "valise": "backup",
            "format": FORMAT,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "release": version("valise-notes"),
            "event_schema": SCHEMA_VERSION,
            "registry_revision": _registry_revision(target / REGISTRY),
            "records": _records(target / LOG),
            "files": {name: _described(target / name, progress) for name in FILES},
            "originals": kept,
        }
        _write(target / MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")
    except (sqlite3.Error, OSError) as error:
        for name in (*FILES, MANIFEST):
            (target / name).unlink(missing_ok=True)
        shutil.rmtree(target / ORIGINALS, ignore_errors=True)
        raise Unavailable(f"la sauvegarde n'a pas pu être écrite : {reason(error)}") from error
    return manifest


def restore(backup: Path, data: Path, progress: Progress = silent) -> dict[str, Any]:
    """Check a backup and put it into a new data folder; its manifest.

    Raises Misconfigured for a folder that holds something, Damaged for a backup that is not whole,
    Unavailable where the disk does not take it.
    """
    _empty(data)
    manifest = check(backup, progress)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_folder(data)
    try:
        for name in FILES:
            _put_back(backup / name, data / name, manifest["files"][name], progress)
        _copy_originals(
            manifest.get("originals", []), backup / ORIGINALS, data / ORIGINALS, progress
        )
        _sync(data)
    except BaseException as error:
        for name in FILES:
            (data / name).unlink(missing_ok=True)
        shutil.rmtree(data / ORIGINALS, ignore_errors=True)
        if isinstance(error, OSError):
            raise Unavailable(
                f"la restauration n'a pas pu être écrite : {reason(error)}"
            ) from error
        raise
    return manifest


def check(backup: Path, progress: Progress = silent) -> dict[str, Any]:
    """The manifest of a backup whose files are whole. Raises Damaged, Misconfigured."""
    try:
        manifest = json.loads((backup / MANIFEST).read_bytes())
        known = manifest["valise"] == "backup"
        described = {name: manifest["files"][name] for name in FILES}
    except (OSError, ValueError, KeyError, TypeError):
        raise Damaged(f"{backup} n'est pas une sauvegarde complète (pas de manifeste)") from None
    if not known or manifest["format"] > FORMAT or manifest["event_schema"] > SCHEMA_VERSION:
        raise Misconfigured(
            f"cette sauvegarde vient d'une version plus récente ({manifest.get('release')})"
        )
    for name in FILES:
        if not (backup / name).is_file() or _described(backup / name, progress) != described[name]:
            raise Damaged(f"{name} manque ou n'est plus ce qui a été sauvegardé")
        if complaint := _integrity(backup / name):
            raise Damaged(f"{name} : {complaint}")
    for address in manifest.get("originals", []):
        if not _whole(backup / ORIGINALS, address):
            raise Damaged(f"le document d'origine {address} manque ou n'est plus ce qu'il était")
    return dict(manifest)


def _put_back(source: Path, target: Path, described: Any, progress: Progress) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o600)
    _sync(target)
    if _described(target, progress) != described:
        raise Damaged(f"{source} a changé pendant la copie")


def _empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misconfigured(f"{folder} n'est pas un dossier vide : en choisir un nouveau")


@contextmanager
def _one_moment(source: Source) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Both files, as they stand at one moment, open for reading; writers go on at once.

    Ingest writes a receipt before the event. While the registry's write lock is held no receipt
    begins, so no event of the log's state can be without one; and what the registry's state, taken
    first, calls received is in the log. A receipt in between is pending: the relay finishes it.
    """
    with ExitStack() as stack:
        gate, registry, log = (
            stack.enter_context(closing(_opened(path, mode)))
            for path, mode in (
                (source.registry, "rw"),
                (source.registry, "ro"),
                (source.log, "ro"),
            )
        )
        gate.execute("BEGIN IMMEDIATE")
        try:
            for connection in (registry, log):
                # The first read fixes what this transaction sees; copying then never starts anew.
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            gate.execute("ROLLBACK")
        yield registry, log


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)


def _copy(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(
            copy,
            pages=STEP_PAGES,
            progress=lambda _status, left, pages: progress(target.name, pages - left, pages),
        )
        # One file, complete in itself, rather than one with a write-ahead log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    if complaint := _integrity(target):
        raise sqlite3.DatabaseError(f"{target.name}: {complaint}")
    _sync(target)


def _named(registry: Path) -> list[str]:
    """The addresses of all originals, and of all cover mails, that this registry names."""
    with closing(_opened(registry, "ro")) as connection:
        rows = connection.execute(
            "SELECT sha256 FROM originals UNION SELECT sha256 FROM covers ORDER BY sha256"
        )
        return [str(address) for (address,) in rows]


def _copy_originals(
    addresses: Sequence[str], source: Path, target: Path, progress: Progress
) -> list[str]:
    """Copy these originals from store to store; those that were there. Raises Unavailable."""
    kept = []
    store, copies = Originals(source), Originals(target)
    for done, address in enumerate(addresses, start=1):
        content = store.get(address)
        if content is not None:
            kept.append(copies.put(content))
        progress(ORIGINALS, done, len(addresses))
    return kept


def _whole(folder: Path, address: Any) -> bool:
    try:
        return Originals(folder).get(address) is not None
    except (Unavailable, ValueError, TypeError):
        return False


def _integrity(path: Path) -> str | None:
    """What SQLite finds wrong with a file; None where it is whole."""
    try:
        with closing(_opened(path, "ro")) as connection:
            found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else found


def _registry_revision(path: Path) -> str | None:
    with closing(_opened(path, "ro")) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _records(path: Path) -> dict[str, int]:
    with closing(_opened(path, "ro")) as connection:
        rows = connection.execute(
            "SELECT name, (SELECT count(*) FROM records WHERE topic = topics.id) FROM topics"
        )
        return {str(name): int(count) for name, count in rows}


def _described(path: Path, progress: Progress) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    digest = hashlib.sha256()
    size, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(path.name, done, size)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write(path: Path, content: bytes) -> None:
    """The file is there with all of its content, or not at all."""
    draft = path.with_name(f".{path.name}")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
