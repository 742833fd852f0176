"""Cover mails: those that only bring a document along are no documents of their own.

What they brought is told with them, so that their bytes are kept beside it, and a date, a post or a
reference that the document does not say is theirs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.ingest.formats.accompanying import only_accompanies
from services.ingest.formats.forwards import own
from services.ingest.formats.model import Document, Unreadable, places_of

SUPPLIES = ("date", "post")
"""What a mail says of each document that it brings."""
SUPPLIES_ONE = ("reference",)
"""What it says only of a document that it brings alone."""


def is_cover(text: str) -> bool:
    """Return whether that text of a mail only accompanies what is attached to it: in its own words,
    which may answer another message."""
    return only_accompanies(own(text))


def told_with_what_they_bring(
    found: Sequence[Document | Unreadable],
) -> list[Document | Unreadable]:
    """Return the documents of a file, each cover mail told with what it brought.

    One that brought nothing readable is a document of its own where it has text, and is left out
    where it has none.
    """
    brought_by = [tuple(covers) for covers in _covers(found)]
    brought = Counter(id(cover) for covers in brought_by for cover in covers)
    kept: list[Document | Unreadable] = []
    for each, covers in zip(found, brought_by, strict=True):
        if isinstance(each, Unreadable):
            kept.append(each)
        elif not each.accompanies:
            kept.append(_under(each, covers, brought) if covers else each)
        elif not brought[id(each)] and each.body:
            kept.append(replace(each, accompanies=False, covers=covers))
    return kept


def _covers(found: Sequence[Document | Unreadable]) -> Iterator[list[Document]]:
    """For each document the cover mails that it lies in, the nearest first; none for a cover mail,
    which those round it hold with all that it brings."""
    last: dict[str, Document] = {}  # of two mails of one name each is before what it brings
    for each in found:
        is_cover = isinstance(each, Document) and each.accompanies
        if is_cover or isinstance(each, Unreadable):
            yield []
        else:
            yield [last[place] for place in places_of(each.name) if place in last]
        if isinstance(each, Document) and each.accompanies:
            last[each.name] = each


def _under(document: Document, covers: tuple[Document, ...], brought: Counter[int]) -> Document:
    """The document with its cover mails, and with what they say that it does not."""
    fields = dict(document.fields)
    supplied = []
    for cover in covers:
        alone = brought[id(cover)] == 1
        for name in (*SUPPLIES, *(SUPPLIES_ONE if alone else ())):
            if name in cover.fields and name not in fields:
                fields[name] = cover.fields[name]
                supplied.append(name)
    return replace(document, fields=fields, covers=covers, supplied=tuple(supplied))
