"""International organisations and agencies that a note names."""

from collections import defaultdict
from functools import cache
from typing import Literal

from schemas.classification import OrganisationTag
from services.classify.evidence import Found, evidence
from services.classify.matching import EXACT, Matcher, terms
from services.classify.tables import items, rows
from services.classify.text import Folded


@cache
def organisations() -> Matcher[str]:
    """The matcher of all names; a name's meaning is the organisation's id."""
    return Matcher(
        term
        for row in rows("organisations.txt")
        for name in items(row["names"])
        for term in terms(EXACT + name, row["id"])
    )


def organisation_tags(subject: Folded, body: Folded) -> tuple[OrganisationTag, ...]:
    """The organisations named in a note, the most often named first."""
    found: dict[str, list[Found]] = defaultdict(list)
    fields: tuple[tuple[Literal["subject", "body"], Folded], ...] = (
        ("subject", subject),
        ("body", body),
    )
    for name, text in fields:
        for match in organisations().find(text):
            found[match.term.meaning].append(
                Found(
                    field=name,
                    text=text,
                    first=match.first,
                    last=match.last,
                    source=f"organisation:{match.term.surface}",
                    weight=2.0 if name == "subject" else 1.0,
                    key=match.term.key,
                )
            )
    return tuple(
        OrganisationTag(id=code, evidence=evidence(passages))
        for code, passages in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    )
