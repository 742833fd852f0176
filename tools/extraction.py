"""What a change of the readers loses: the documents that tests make, read by two trees.

    python -m tools.extraction collect FOLDER TESTS…   keep every file that the tests have read
    python -m tools.extraction read FOLDER OUT.jsonl   read them (with the tree on PYTHONPATH)
    python -m tools.extraction compare OLD.jsonl NEW.jsonl

`compare` prints each document with words that only the old tree reads, and the figures at the end.
Signs of raised figures, numbers of lists and places of cells are no words. Ends with 1 where a word
is lost.
"""

import json
import re
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from services.ingest.formats import Document, documents, extract

_WORDS = re.compile(r"\w+")
LONGEST = 8 * 1024 * 1024
"""Bytes of a file that is kept: hostile ones are made to be large."""


class _Collecting:
    """A plugin of pytest that keeps what is given to the readers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pytest_sessionstart(self) -> None:
        """Put a copy of every file aside before it is read."""
        reading = documents.parts

        def parts(data: bytes, name: str, media_type: str | None = None) -> object:
            if len(data) < LONGEST:
                ending = re.sub(r"[^\w.]", "", Path(name).suffix)[:8]
                (self.folder / f"{sha256(data).hexdigest()[:24]}{ending}").write_bytes(data)
            return reading(data, name, media_type)

        documents.parts = parts  # type: ignore[assignment]


def collect(folder: Path, tests: list[str]) -> None:
    """Run tests, keep the files that they read."""
    folder.mkdir(parents=True, exist_ok=True)
    pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[_Collecting(folder)])
    print(f"{len(list(folder.iterdir()))} files")


def read(folder: Path, out: Path) -> None:
    """Read every file of a folder; write what each gave, and the time of all."""
    began = time.process_time()
    with out.open("w", encoding="utf-8") as lines:
        for file in sorted(folder.iterdir()):
            found = extract(file.read_bytes(), file.name)
            texts = [
                _said(each) if isinstance(each, Document) else f"!{each.status}" for each in found
            ]
            lines.write(json.dumps({"name": file.name, "texts": texts}, ensure_ascii=False) + "\n")
    print(f"{time.process_time() - began:.1f} s")


def _said(document: Document) -> str:
    """The text with its subject, which a title alone has left."""
    said = " ".join(document.body.split())
    inside = document.subject.removesuffix(" …") in said
    return document.body if inside else f"{document.subject}\n{document.body}"


def compare(old: Path, new: Path) -> int:
    """Print what the new reading has lost; return how many documents lost something."""
    before, after = _read(old), _read(new)
    lost = 0
    words = 0
    for name, texts in before.items():
        one, two = _words(texts), _words(after[name])
        words += sum(one.values())
        missing = one - two
        if missing:
            lost += 1
            gained = " ".join((two - one).elements())
            print(f"{name}: lost {' '.join(missing.elements())[:300]} | gained {gained[:300]}")
    changed = sum(texts != after[name] for name, texts in before.items())
    print(f"{len(before)} files, {words} words, {changed} read otherwise, {lost} with a word less")
    return lost


def _read(file: Path) -> dict[str, list[str]]:
    lines = map(json.loads, file.read_text("utf-8").splitlines())
    return {line["name"]: line["texts"] for line in lines}


def _words(texts: list[str]) -> Counter[str]:
    return Counter(_WORDS.findall("\n".join(texts)))


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    match arguments:
        case ["collect", folder, *tests] if tests:
            collect(Path(folder), tests)
        case ["read", folder, out]:
            read(Path(folder), Path(out))
        case ["compare", old, new]:
            return 1 if compare(Path(old), Path(new)) else 0
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
