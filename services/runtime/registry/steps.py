"""The registry's part of a note's trace, in French."""

from collections.abc import Iterable
from typing import Any

from schemas.answers import State, TraceStep
from schemas.events import Kind

_RECEIVED = {
    Kind.SUBMITTED: "Note reçue",
    Kind.RECTIFIED: "Rectificatif reçu",
    Kind.CORRECTED: "Correction des thèmes et pays reçue",
    Kind.WITHDRAWN: "Retrait demandé",
    Kind.RECLASSIFIED: "Reclassement demandé",
}


def of(history: Iterable[Any], letters: Iterable[Any]) -> list[TraceStep]:
    """The steps in the order of time.

    In: revisions and corrections (`revision`, `correction`, `kind`, `state`, `received_at`,
    `indexed_at`) and dead letters (`at`, `service`, `reason`, `replays`).
    """
    found: list[TraceStep] = []
    for row in history:
        numbered = f", correction {row.correction}" if row.correction else ""
        said = f"{_RECEIVED[Kind(row.kind)]} (révision {row.revision}{numbered})"
        if row.state == State.PENDING:
            said += ", en attente d'inscription au journal"
        found.append(TraceStep(step="received", at=row.received_at, detail=said))
        if row.indexed_at is not None:
            done = "retirée de la recherche" if row.state == State.WITHDRAWN else "indexée"
            found.append(
                TraceStep(
                    step="indexed",
                    at=row.indexed_at,
                    detail=f"Révision {row.revision}{numbered} {done}",
                )
            )
    found.extend(
        TraceStep(
            step="parked",
            at=row.at,
            detail=f"Mise de côté ({row.service}) : {row.reason}{_replays(row.replays)}",
        )
        for row in letters
    )
    return sorted(found, key=lambda step: step.at)


def _replays(count: int) -> str:
    return f" (relancée {count} fois)" if count else ""
