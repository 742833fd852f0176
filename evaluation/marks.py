"""`python -m evaluation.marks`: how many real texts are taken for marked ones.

Each text goes the way of a submission. None of them bears a mark: whatever is found is false.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from evaluation.records import GOLD, data_folder
from schemas.note import MAX_SUBJECT
from schemas.vocabulary import Marking
from services.ingest.accept import Refused, read_note

MOST_SHOWN = 20


def main() -> None:
    """Count and print; leave with 1 where a text is refused."""
    counts: Counter[str] = Counter()
    shown: list[str] = []
    for name, subject, body in texts():
        found = taken_for(subject, body)
        counts.update(found)
        counts["texts"] += 1
        if found and len(shown) < MOST_SHOWN:
            shown.append(f"{name}: {', '.join(found)}")
    if not counts["texts"]:
        sys.exit("no texts: they stand beside the project, in ../shared/data")
    kinds = ("refused", "restricted", "with passages")
    told = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    sys.stdout.write("".join(f"{line}\n" for line in shown))
    sys.stdout.write(f"{counts['texts']} texts: {told}\n")
    if counts["refused"]:
        sys.exit(1)


def taken_for(subject: str, body: str) -> list[str]:
    """What a text is taken for: refused, restricted, with passages; none of it for an ordinary
    one."""
    fields = {"post": "berlin", "reference": "1", "date": "2026-03-04"}
    sent = fields | {"subject": subject[:MAX_SUBJECT] or "Note", "body": body}
    try:
        note, _ = read_note(json.dumps(sent).encode())
    except Refused:
        return ["refused"]
    restricted = note.marking is not Marking.NON_PROTEGE or note.special_france
    said = {"restricted": restricted, "with passages": bool(note.marked_spans)}
    return [name for name, there in said.items() if there]


def texts() -> Iterator[tuple[str, str, str]]:
    """The name, subject and body of each real text, those of the gold set among them."""
    data = data_folder()
    if data is None:
        return
    for path in sorted((data.parent / "notes").glob("*.txt")):
        subject, _, body = path.read_text("utf-8").strip().partition("\n")
        yield path.name, subject, body.strip()
    for path in (*sorted(data.glob("*.jsonl")), GOLD):
        for line in path.read_text("utf-8").splitlines():
            record: dict[str, Any] = json.loads(line)
            text = record.get("text", record.get("body"))
            title = str(record.get("title") or record.get("subject") or "")
            if text is not None:
                yield str(record["id"]), title, text or title  # some are a title alone


if __name__ == "__main__":
    main()
