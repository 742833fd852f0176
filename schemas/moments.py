"""Moments that people state: with their zone, within years that every engine can reckon with."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)
"""Far from the end of the calendar, whose last days cannot be written in UTC from every zone, nor
moved by a period."""


def _within(moment: datetime) -> datetime:
    if not FIRST <= moment <= LAST:
        raise ValueError(f"moment attendu entre {FIRST.year} et {LAST.year}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within)]
