"""Errors, sorted by what to do about them. Adapters translate their library's into these."""


class Unprocessable(Exception):
    """Can never succeed: park it. `reason` is said to administrators, in English."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(Exception):
    """May succeed later: wait and retry, or answer 503 with `retry_after` seconds.

    `said` is what the sender may know of the reason, in French; None: nothing.
    """

    def __init__(self, reason: str, retry_after: int = 5, said: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.said = said


class Busy(Unavailable):
    """There, and too slow to answer now: callers can cause that, so it does not count as away."""


class Misconfigured(Exception):
    """A setting is wrong: the program stops at start with this one line."""
