"""The words of removed documents, and how they leave the files of the embedded index.

tantivy marks a document as deleted and keeps its words in their segment until that is merged, which
may be never. A segment goes, file by file, once none of its documents lives: so those that do are
written anew. Which segments hold deleted documents is said by the folder's `meta.json`.
"""

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import tantivy

TRIES = 100
"""Readings of a state that no merge changes meanwhile; a merge ends a few times a minute."""


def with_deletions(path: Path) -> set[str]:
    """The ids of the segments that hold deleted documents."""
    return {each["segment_id"] for each in _segments(path) if each["deletes"]}


def living(
    path: Path, index: tantivy.Index, segments: set[str]
) -> tuple[tantivy.Searcher, list[tantivy.DocAddress]]:
    """The documents that live in these segments, and the state of the index that has them there.

    Raises ValueError where the folder does not hold still for long enough to tell.
    """
    for _ in range(TRIES):
        before = _segments(path)
        index.reload()
        searcher = index.searcher()
        if before == _segments(path) and searcher.num_segments == len(before):
            break
    else:
        raise ValueError("the segments change all the time")
    wanted = {at for at, each in enumerate(before) if each["segment_id"] in segments}
    if not wanted or not searcher.num_docs:
        return searcher, []
    everything = searcher.search(tantivy.Query.all_query(), limit=searcher.num_docs, count=False)
    found = [address for _, address in everything.hits if address.segment_ord in wanted]
    return searcher, found


def left(path: Path, segments: set[str]) -> list[str]:
    """The files of these segments that are still in the folder."""
    beginnings = tuple(UUID(each).hex for each in segments)
    return [each.name for each in path.iterdir() if each.name.startswith(beginnings)]


def remove_aside(path: Path) -> None:
    """Remove the folders that were set aside as unreadable: they may hold the words too.

    Raises OSError.
    """
    for aside in path.parent.glob(f"{path.name}.aside-*"):
        shutil.rmtree(aside)


def _segments(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((path / "meta.json").read_text())["segments"]
    return found
