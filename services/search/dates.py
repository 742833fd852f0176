"""The date under which a note is filed, where its own date lies ahead of its receipt."""

from datetime import date, datetime, timedelta

DAYS_AHEAD = 7
"""A note may be dated some days ahead, as for the meeting that it prepares; a slip is dated months
or years ahead."""


def is_ahead(day: date, received_at: datetime, changed_at: datetime) -> bool:
    """Whether a note's own date lies further ahead than that of its receipt, or of its last change,
    can explain."""
    return day > max(received_at, changed_at).date() + timedelta(days=DAYS_AHEAD)


def filed(day: date, received_at: datetime, changed_at: datetime) -> date:
    """The day by which a note is listed: its own date, or that of its receipt where its own is
    still to come. Never later than its own."""
    return received_at.date() if is_ahead(day, received_at, changed_at) else day
