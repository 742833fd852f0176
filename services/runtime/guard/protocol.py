"""One connection: what is too large is refused before it is parsed, who is slow is hung up on."""

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from services.runtime import metrics, problems
from services.runtime.guard.connections import Connections
from services.runtime.guard.headers import ALWAYS
from services.runtime.guard.heads import refusal_of
from services.runtime.guard.limits import PEER

SPEAK_SECONDS = 15.0
"""For a connection's next request to come with all its headers, and for what comes of a body after
its answer. uvicorn waits for ever for both, once a first byte is there."""
READ_SECONDS = 60.0
"""For a client to read READ_BYTES on where an answer waits for it, and to read the rest before its
connection is closed: a line of 1 KiB a second does. uvicorn waits for ever."""
READ_BYTES = 48 * 1024
"""What is read in that time is enough for the same time again: an original may be large."""

FREE_PIECES = 10_000
PIECE_BYTES = 16
"""A body may come in so many pieces, and in one more for each 16 bytes: a piece costs 5 µs, so that
chunks of one byte would take a second of the process for each 1.2 MB. A line of NDJSON has 200."""


class Bounded(h11.Connection):
    """h11's reader of requests, which parses no head that is too large and no endless crumbs.

    What is no request is handed to `refuse`, and nothing comes of it: uvicorn would log a line.
    """

    refused: int | None = None
    """The status for what was refused here."""
    held = False
    """Whether the next request waits until the last one's answer has drained."""
    draining = False
    """Whether an answer has to drain."""
    _pieces = _bytes = 0

    def __init__(self, size: int, refuse: Callable[[], None]) -> None:
        super().__init__(h11.SERVER, size)
        self._refuse = refuse

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What comes next; nothing while it is held, or where it was refused."""
        if self.their_state is h11.IDLE and self.draining and self.trailing_data[0]:
            self.held = True
            return h11.PAUSED
        try:
            return self._next_event()
        except h11.RemoteProtocolError:
            self._refuse()
            return h11.NEED_DATA

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.their_state is h11.IDLE:
            self._pieces = self._bytes = 0
            self.refused = refusal_of(self.trailing_data[0])
            if self.refused is not None:
                raise h11.RemoteProtocolError("head too large")
        event = super().next_event()
        if type(event) is h11.Data:
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > FREE_PIECES + self._bytes // PIECE_BYTES:
                raise h11.RemoteProtocolError("body in crumbs")
        return event


class Impatient(H11Protocol):
    """uvicorn's protocol, which hangs up on whoever takes too long to say what it wants, or to read
    what it gets."""

    _hang_up: asyncio.TimerHandle | None = None
    _give_up: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        """As uvicorn makes it, counted among these."""
        super().__init__(*args, **kwargs)
        size = self.config.h11_max_incomplete_event_size
        assert size is not None
        self.conn: Bounded = Bounded(size, self._refuse)
        self.app_state = {**self.app_state, PEER: self}
        self._connections = connections

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def known(self) -> None:
        """Somebody known has asked something here."""
        self._connections.forget(self)

    def hang_up(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._connections.opened(self, self.client[0] if self.client else "")
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of the headers, where it is not there."""
        super().data_received(data)
        if not self.conn.held:
            self._wait()

    def _should_upgrade(self) -> bool:
        """No: who asks for another protocol is answered in this one, and no line is logged."""
        return False

    def _refuse(self) -> None:
        """Refuse what is no request, or too large a one, as a problem; nobody reads on."""
        if self.transport.is_closing():
            return
        metrics.REFUSED.labels("headers" if self.conn.refused else "malformed").inc()
        if self.cycle is not None:
            # What its route still says goes nowhere, as if the client had hung up.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(self.conn.refused or 400)
        self.transport.close()
        self._wait_for_reader()

    def _answer(self, status: int) -> None:
        said = problems.answer(problems.problem(status), {**ALWAYS, "Connection": "close"})
        reason = STATUS_PHRASES[status]
        for event in (
            h11.Response(status_code=status, headers=said.raw_headers, reason=reason),
            h11.Data(data=bytes(said.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    def on_response_complete(self) -> None:
        """Wait for the rest of the body, which nobody reads any more, and for the reader."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait_for_reader()
        if self.conn.their_state is h11.SEND_BODY:
            self._wait()

    def timeout_keep_alive_handler(self) -> None:
        """Close what is not used any more, whether the last answer was read or not."""
        super().timeout_keep_alive_handler()
        self._wait_for_reader()

    def pause_writing(self) -> None:
        """Wait for the reader, who is slower than the answer."""
        super().pause_writing()
        self.conn.draining = True
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Go on, with a request that was held too."""
        super().resume_writing()
        self.conn.draining = False
        if self.transport.is_closing():
            return
        self._stop_waiting_for_reader()
        if self.conn.held:
            self.conn.held = False
            self.flow.resume_reading()
            self.handle_events()
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._connections.forget(self)
        self._stop_waiting()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def _wait(self) -> None:
        theirs = self.conn.their_state
        ignored = theirs is h11.SEND_BODY and self.cycle.response_complete
        if theirs is not h11.IDLE and not ignored:
            self._stop_waiting()
        elif self._hang_up is None:
            self._hang_up = self.loop.call_later(SPEAK_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None

    def _wait_for_reader(self) -> None:
        if self._give_up is None:
            waiting = self.transport.get_write_buffer_size()
            self._give_up = self.loop.call_later(READ_SECONDS, self._look_at_reader, waiting)

    def _look_at_reader(self, before: int) -> None:
        """Hang up on who has read too little of what waited `READ_SECONDS` ago."""
        self._give_up = None
        if self.transport.get_write_buffer_size() > before - READ_BYTES:
            self.transport.abort()
        else:
            self._wait_for_reader()

    def _stop_waiting_for_reader(self) -> None:
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None
