"""Conditional requests: whether what a client has kept is still good (RFC 9110, section 13).

An ETag is made of the very bytes; of a feed each caller is shown one of their own. `Freshness`
remembers which bytes a cheap stamp of their content stood for, so that an unchanged feed is
answered without being written again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256

REMEMBERED = 2_000
"""Feeds remembered, a few hundred bytes each: more than themes by countries, in both formats."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a representation: its stamp, its ETag, and since when it is so.

    `since` is when this process first saw this content, in whole seconds and never twice the same
    for two contents: a note that is withdrawn makes a feed older, not newer, so the notes' own
    dates cannot say when the feed changed.
    """

    stamp: str
    etag: str
    since: datetime

    def headers(self, now: datetime) -> dict[str, str]:
        """The validators as headers. A `since` still to come would be a lie, and is left out."""
        headers = {"ETag": self.etag}
        if self.since <= now:
            headers["Last-Modified"] = format_datetime(self.since, usegmt=True)
        return headers


class Freshness:
    """The last known state of each representation, by its address; the oldest are forgotten."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._states: OrderedDict[str, State] = OrderedDict()
        self._remembered = remembered

    def known(self, address: str, stamp: str) -> State | None:
        """The state at this address, if its content still has this stamp."""
        state = self._states.get(address)
        return state if state and state.stamp == stamp else None

    def keep(self, address: str, stamp: str, body: bytes, now: datetime) -> State:
        """Remember that the content with this stamp is these bytes."""
        tag = etag(body)
        before = self._states.get(address)
        since = now.replace(microsecond=0)
        if before and before.etag == tag:
            since = before.since
        elif before and before.since >= since:
            since = before.since + SECOND
        state = State(stamp, tag, since)
        self._states[address] = state
        self._states.move_to_end(address)
        if len(self._states) > self._remembered:
            self._states.popitem(last=False)
        return state


def etag(body: bytes) -> str:
    """A strong ETag: other bytes, other tag."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def unchanged(headers: Mapping[str, str], tag: str, since: datetime | None = None) -> bool:
    """Whether the client's copy is good (answer 304): by `If-None-Match`, else by date."""
    given = headers.get("if-none-match")
    if given is not None:
        return has_copy(headers, tag) or given.strip() == "*"
    asked = headers.get("if-modified-since")
    return bool(asked and since and (when := _http_date(asked)) and since <= when)


def has_copy(headers: Mapping[str, str], tag: str) -> bool:
    """Whether the client names this very ETag, and so has been given what it stands for. `*` and
    dates anybody can say."""
    given = headers.get("if-none-match", "")
    return any(one.strip().removeprefix("W/") == tag for one in given.split(","))


def _http_date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
