"""What became of submissions: each is counted and told under its one outcome."""

import logging

from schemas.answers import IngestOutcome, Problem
from schemas.correction import Correction
from schemas.note import Note
from schemas.topics import SUBMITTED
from services.runtime import marks, metrics
from services.runtime.logs import Ended, tell
from services.runtime.registry import Begun, BegunCorrection, BegunRevision

logger = logging.getLogger(__name__)

SERVICE = "ingest"

for _outcome in IngestOutcome:
    metrics.OUTCOMES.labels(SERVICE, SUBMITTED.name, _outcome.value)


def ended(result: Begun | BegunCorrection | BegunRevision, trace: str | None) -> None:
    """A submission or a change that the registry knows: accepted, duplicate or conflict."""
    _count(result.outcome)
    about = f"note {result.note_id} revision {result.revision}"
    reason = None
    if isinstance(result, BegunCorrection):
        reason = f"correction {result.correction}"
        about = f"{about} {reason}"
    elif isinstance(result, Begun):
        reason = ", ".join(result.differs) or None
    end = Ended(
        SERVICE,
        result.outcome.value,
        SUBMITTED.name,
        note_id=str(result.note_id),
        revision=result.revision,
        reason=reason,
        trace=trace,
    )
    tell(logger, logging.INFO, [end], "%s: %s", result.outcome, about)


def refused(said: Problem, trace: str | None) -> None:
    """A submission that is no note, or none that can be taken.

    Only names of fields go to the log: a classified document leaves no word of itself there.
    """
    _count(IngestOutcome.REFUSED)
    fields = ", ".join(_known(str(error["field"])) for error in said.errors or ())
    reason = f"{said.status} {'classified' if marks.is_refusal(said) else fields}".rstrip()
    ended = Ended(SERVICE, IngestOutcome.REFUSED.value, SUBMITTED.name, reason=reason, trace=trace)
    tell(logger, logging.INFO, [ended], "refused: %s", reason)


def _known(field: str) -> str:
    """The field's name where it is one of a note's; another's would be the sender's own words."""
    name = field.partition(".")[0]
    known = Note.model_fields.keys() | Correction.model_fields.keys()
    return field if name in known and field.isascii() and len(field) < 60 else "?"


def too_large(note_id: str, trace: str | None) -> None:
    """A note that the log can never take; nothing of it is kept."""
    _count(IngestOutcome.REFUSED)
    reason = "the log cannot take a note of this size"
    ended = Ended(
        SERVICE,
        IngestOutcome.REFUSED.value,
        SUBMITTED.name,
        note_id=note_id,
        reason=reason,
        trace=trace,
    )
    tell(logger, logging.WARNING, [ended], "refused: note %s: %s", note_id, reason)


def _count(outcome: IngestOutcome) -> None:
    metrics.OUTCOMES.labels(SERVICE, SUBMITTED.name, outcome.value).inc()
