"""Readers' corrections: from the bytes of a request to an event on the log.

As for a submission: begun in the registry, written to the log, and only then said to be received.
"""

import json
import re
from datetime import datetime
from functools import partial
from hashlib import sha256
from uuid import UUID

from pydantic import ValidationError

from schemas.correction import Correction
from schemas.events import CorrectionTags
from schemas.marks import Level
from services.ingest.accept import Refused, checked, invalid, read_object
from services.ingest.submit import TooLarge, change
from services.runtime import marks
from services.runtime.french import complaints
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.redaction import redacted
from services.runtime.registry import (
    BegunCorrection,
    CorrectionSubmission,
    Obstacle,
    Registry,
    Sender,
)

WHOLE = "correction"
"""What was sent, as a refusal calls it in French."""

_ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})\.([0-9]{1,9})\.[0-9]{1,9}(?:-[a-z]+)*"')
"""A note's ETag: revision, correction, release; letters for what cites it may follow. A proxy that
compresses marks it as weak, or adds the name of the encoding."""


def read_correction(
    raw: bytes,
    note_id: UUID,
    *,
    now: datetime,
    if_match: str | None = None,
    approved: frozenset[Level] = frozenset(),
) -> CorrectionSubmission:
    """The correction in the bytes of a JSON body, as the registry takes it.

    `now` is the time of receipt (aware), `if_match` the header of that name, `approved` as for
    `accept`. Raises Refused: 400
    for no JSON, 422 for no correction or one that bears a classified mark.
    """
    text, fields = read_object(raw, WHOLE)
    checked(marks.of_fields(fields), approved)
    try:
        sent = Correction.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = complaints(error.errors(include_url=False, include_input=False), WHOLE)
        raise Refused(invalid(wrong, WHOLE)) from None
    return CorrectionSubmission(
        note_id=note_id,
        event_id=uuid7(),
        at=now,
        tags=sent.tags,
        content_hash=tags_hash(sent.tags),
        comment=redacted((sent.comment or "").strip()) or None,
        seen=states_seen(if_match),
    )


def tags_hash(tags: CorrectionTags) -> str:
    """SHA-256, in hexadecimal, of the tags: equal ones hash equal."""
    said = json.dumps(tags.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(said.encode()).hexdigest()


def states_seen(if_match: str | None) -> frozenset[tuple[int, int]] | None:
    """The states (revision, correction) that an `If-Match` header admits; None: any.

    The release in a note's ETag is left aside: another one changes what was found, not what the
    reader says of the note. A tag that is none of ours admits nothing.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = (_ETAG.fullmatch(each.strip()) for each in if_match.split(","))
    return frozenset((int(tag[1]), int(tag[2])) for tag in found if tag)


async def correct(
    registry: Registry, log: Log, sent: CorrectionSubmission, sender: Sender | None = None
) -> BegunCorrection | Obstacle | TooLarge:
    """What became of this correction, as `submit.change` says. Raises Unavailable."""
    return await change(registry, log, partial(registry.begin_correction, sent, sender), sent.trace)
