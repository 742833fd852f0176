"""A log in one file: all records of all topics, written through the log port and appended again.

Gzip of JSON lines: a head, one line a record (keys, values and headers in base64), and a foot with
the counts and a digest, without which the file is not whole. Records of one key keep their order;
partitions and offsets are those of the log that they come to.
"""

import base64
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.events import SCHEMA_VERSION
from schemas.topics import Topic
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.log import Entry, Log, Record
from services.runtime.reasons import reason

FORMAT = 1
LEVEL = 1
"""Of gzip: notes shrink to less than half at the speed of a disk; higher levels gain little."""
BATCH_RECORDS = 200
BATCH_BYTES = 4 * 1024 * 1024
"""Appended at once: some tenths of a second, far from the 5 s that an append may take."""
TRIES = 5
"""Of one batch while the log does not answer; a second copy of an event is a duplicate."""

Progress = Callable[[str, int], None]
"""Told which topic is at work and how many of its records are done."""


class Damaged(Exception):
    """The file is not whole, or none of ours."""


def silent(_topic: str, _done: int) -> None:
    """A progress that nobody watches."""


async def dump(
    log: Log, topics: Sequence[Topic], target: Path, progress: Progress = silent
) -> dict[str, int]:
    """Write all records to a new file; how many of each topic.

    Each topic is read up to its end as it stood when its turn came. Raises Misconfigured where the
    file exists, Unavailable where log or disk fail (the file is then removed).
    """
    draft = _draft(target)
    counts = {topic.name: 0 for topic in topics}
    digest = hashlib.sha256()
    try:
        # Made anew: what lay there may be a link, or open to others.
        draft.unlink(missing_ok=True)
        made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as raw:
            with gzip.open(raw, "wb", compresslevel=LEVEL) as file:
                head = {"valise": "log", "format": FORMAT, "event_schema": SCHEMA_VERSION}
                _put(file, head, digest)
                for topic in topics:
                    async for records in log.replay(topic.name):
                        for record in records:
                            _put(file, _line(record), digest)
                        counts[topic.name] += len(records)
                        progress(topic.name, counts[topic.name])
                _put(file, {"counts": counts, "sha256": digest.hexdigest()}, digest)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(target)
    except OSError as error:
        raise Unavailable(f"{target} n'a pas pu être écrit : {reason(error)}") from error
    finally:
        draft.unlink(missing_ok=True)
    return counts


async def load(
    log: Log, topics: Sequence[Topic], source: Path, progress: Progress = silent
) -> dict[str, int]:
    """Check a file, then append its records to a log whose topics are there and empty.

    Raises Damaged, Misconfigured where a topic has records already or the file holds topics that
    are unknown, Unavailable where the log stays away.
    """
    counts = check(source)
    known = {topic.name for topic in topics}
    if unknown := counts.keys() - known:
        raise Misconfigured(f"sujets inconnus : {', '.join(sorted(unknown))}")
    for name in sorted(known):
        if await _holds_something(log, name):
            raise Misconfigured(f"le sujet {name} n'est pas vide : restaurer dans un journal neuf")
    done = dict.fromkeys(counts, 0)
    for topic, entries in _batches(source):
        await _append(log, topic, entries)
        done[topic] += len(entries)
        progress(topic, done[topic])
    return done


def check(source: Path) -> dict[str, int]:
    """The counts of a file that is whole. Raises Damaged, Misconfigured."""
    digest = hashlib.sha256()
    foot: dict[str, Any] = {}
    counted: dict[str, int] = {}
    try:
        for number, (raw, line) in enumerate(_lines(source)):
            if number == 0:
                _check_head(line)
            elif "sha256" in line:
                foot = line
                break
            else:
                counted[line["topic"]] = counted.get(line["topic"], 0) + 1
            digest.update(raw)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise Damaged(f"{source} n'est pas lisible : {error}") from None
    if foot.get("sha256") != digest.hexdigest():
        raise Damaged(f"{source} n'est pas entier")
    counts = {str(name): int(count) for name, count in foot["counts"].items()}
    if {name: count for name, count in counts.items() if count} != counted:
        raise Damaged(f"{source} n'a pas le nombre d'enregistrements annoncé")
    return counts


def _check_head(line: dict[str, Any]) -> None:
    if line["valise"] != "log":
        raise ValueError("pas un journal de Valise")
    if line["format"] > FORMAT or line["event_schema"] > SCHEMA_VERSION:
        raise Misconfigured("ce fichier vient d'une version plus récente de Valise")


def _draft(target: Path) -> Path:
    if target.exists():
        raise Misconfigured(f"{target} existe déjà : choisir un autre nom")
    return target.with_name(f".{target.name}.part")


async def _holds_something(log: Log, topic: str) -> bool:
    async for records in log.replay(topic, max_records=1):
        if records:
            return True
    return False


async def _append(log: Log, topic: str, entries: Sequence[Entry]) -> None:
    for left in reversed(range(TRIES)):
        try:
            return await log.append(topic, entries)
        except Unavailable:
            if not left:
                raise
    return None


def _put(file: gzip.GzipFile, line: dict[str, Any], digest: Any) -> None:
    raw = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    digest.update(raw)
    file.write(raw)


def _line(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "at": record.timestamp_ms,
        "key": _encoded(record.key),
        "value": _encoded(record.value),
        "headers": {name: _encoded(value) for name, value in record.headers.items()},
    }


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _decoded(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)


def _lines(source: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    with gzip.open(source, "rb") as file:
        for raw in file:
            yield raw, json.loads(raw)


def _batches(source: Path) -> Iterator[tuple[str, list[Entry]]]:
    topic, entries, size = "", list[Entry](), 0
    for _, line in _lines(source):
        if "topic" not in line:
            continue
        value = _decoded(line["value"])
        full = len(entries) == BATCH_RECORDS or size + len(value or b"") > BATCH_BYTES
        if entries and (full or line["topic"] != topic):
            yield topic, entries
            entries, size = [], 0
        topic = line["topic"]
        headers = {name: _decoded(each) or b"" for name, each in line["headers"].items()}
        entries.append(Entry(key=_decoded(line["key"]), value=value, headers=headers))
        size += len(value or b"")
    if entries:
        yield topic, entries
