"""Notes on their way while something breaks: who sent what, what was answered, what was found.

The oracle is the one of tests/pipeline/test_kills.py: the ids that ingest accepted against what
search lists page by page, each note at its revision with the tags of a run without faults.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from schemas.classification import Classification
from schemas.note import Note
from services.classify.classifier import classify
from tests.pipeline.deployments import Deployment, client_of
from tests.pipeline.test_kills import as_shown, every_hit, total, wait_until

SENDERS = 4
PATIENCE_SECONDS = 20.0
"""Four times what an answer may take: an attempt that ends here hung."""
PAUSE_SECONDS = 0.2
"""Between the tries of a note, whatever Retry-After says, so that the moment of return is seen."""
ARRIVE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST: when it was answered (monotonic), how long that took, with what."""

    at: float
    seconds: float
    status: int | None
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at search: when, how many notes it found (None: it did not answer 200), how."""

    at: float
    found: int | None
    status: int | None
    seconds: float


class Traffic:
    """Senders and one reader, from entering to `finish`.

    At most `rate` notes a second, and at most `ahead` more than are found.
    """

    def __init__(
        self,
        deployment: Deployment,
        notes: Iterable[dict[str, Any]],
        *,
        rate: float = 1_000.0,
        ahead: int = 1_000_000,
    ) -> None:
        self.accepted: dict[str, dict[str, Any]] = {}
        self.attempts: list[Attempt] = []
        self.samples: list[Sample] = []
        self.found = 0
        self.failures: list[str] = []
        self._deployment = deployment
        self._notes = iter(notes)
        self._lock = threading.Lock()
        self._pause = 1 / rate
        self._next = time.monotonic()
        self._ahead = ahead
        self._ending = threading.Event()
        self._done = threading.Event()
        self._senders = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        self._reader = threading.Thread(target=self._look)

    def __enter__(self) -> "Traffic":
        for thread in (*self._senders, self._reader):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._senders:
            thread.join()
        self._done.set()
        self._reader.join()

    def finish(self, *, all_notes: bool = False, also: int = 0) -> None:
        """End the sending (once `all_notes` are sent, if so wanted); wait until all is found, and
        so many that were there `also`."""
        if not all_notes:
            self._ending.set()
        for thread in self._senders:
            thread.join()
        if self.failures:
            raise AssertionError(self.failures[0])
        wait_until(lambda: self.found >= len(self.accepted) + also, ARRIVE_SECONDS)

    def _taken(self) -> dict[str, Any] | None:
        with self._lock:
            if self._ending.is_set():
                return None
            wait = self._next - time.monotonic()
            self._next = max(self._next, time.monotonic()) + self._pause
            note = next(self._notes, None)
        if wait > 0:
            time.sleep(wait)
        while len(self.accepted) >= self.found + self._ahead and not self._ending.is_set():
            time.sleep(0.02)
        return note

    def _send_all(self) -> None:
        with client_of(self._deployment.key, timeout=PATIENCE_SECONDS) as http:
            while note := self._taken():
                try:
                    self._send(http, note)
                except Exception as error:  # shown by `finish`
                    self.failures.append(repr(error))
                    return

    def _send(self, http: httpx.Client, note: dict[str, Any]) -> None:
        """As a careful client does: again until there is an answer that says it is kept."""
        end = time.monotonic() + ARRIVE_SECONDS + PATIENCE_SECONDS
        while time.monotonic() < end:
            begun = time.monotonic()
            try:
                answer = http.post(f"{self._deployment.ingest}/api/v1/notes", json=note)
            except httpx.TimeoutException:
                self._note(begun, None)
                continue
            except httpx.TransportError:
                time.sleep(PAUSE_SECONDS)
                continue
            self._note(begun, answer)
            if answer.status_code in (200, 202):
                with self._lock:
                    self.accepted[answer.json()["id"]] = note
                return
            if answer.status_code != 503:
                raise AssertionError(f"{answer.status_code}: {answer.text}")
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("a note was not accepted in time")

    def _note(self, begun: float, answer: httpx.Response | None) -> None:
        now = time.monotonic()
        status = None if answer is None else answer.status_code
        waits = answer is not None and "Retry-After" in answer.headers
        with self._lock:
            self.attempts.append(Attempt(now, now - begun, status, waits))

    def _look(self) -> None:
        with client_of(self._deployment.key, timeout=PATIENCE_SECONDS) as http:
            while not self._done.wait(0.2):
                begun = time.monotonic()
                found = status = None
                try:
                    answer = http.get(
                        f"{self._deployment.search}/api/v1/search", params={"size": 1}
                    )
                    status = answer.status_code
                    found = int(answer.json()["total"]) if status == 200 else None
                except httpx.TransportError:
                    pass
                now = time.monotonic()
                self.samples.append(Sample(now, found, status, now - begun))
                self.found = max(self.found, found or 0)

    def moved_after(self, moment: float) -> float | None:
        """Seconds from that moment until search showed more notes than it did till then."""
        before = max((s.found or 0 for s in self.samples if s.at <= moment), default=0)
        later = (s.at for s in self.samples if s.at > moment and (s.found or 0) > before)
        first = next(later, None)
        return None if first is None else first - moment

    def accepted_after(self, moment: float) -> float | None:
        """Seconds from that moment until ingest accepted a note."""
        times = [a.at for a in self.attempts if a.status in (200, 202) and a.at > moment]
        return min(times) - moment if times else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the accepted notes."""

    accepted: int
    lost: int
    doubled: int
    different: int
    parked: int

    @property
    def kept(self) -> bool:
        """Whether all is as promised."""
        return not (self.lost or self.doubled or self.different or self.parked)


Expected = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Themes and countries as a hit of a note shows them."""


def shown_as(found: Classification) -> Expected:
    """What a hit shows of these tags."""
    tags = found.model_dump(mode="json")
    return as_shown(tags["themes"]), as_shown(tags["countries"])


def judge(
    deployment: Deployment,
    accepted: Mapping[str, dict[str, Any]],
    also: Mapping[str, Expected] | None = None,
) -> Verdict:
    """Compare what search lists, page by page, with what ingest accepted, and with what was there
    `also`."""
    there = also or {}
    known = accepted.keys() | there.keys()
    wait_until(lambda: total(deployment) >= len(known))
    hits = list(every_hit(deployment))
    times = Counter(hit["id"] for hit in hits)
    different = 0
    for hit in hits:
        expected = there.get(hit["id"])
        if expected is None and (note := accepted.get(hit["id"])):
            expected = shown_as(classify(Note.model_validate(note)))
        shown = hit["themes"], hit["countries"]
        different += hit["revision"] != 1 or shown != expected
    return Verdict(
        accepted=len(known),
        lost=len(known - times.keys()),
        doubled=sum(count - 1 for count in times.values()),
        different=different,
        parked=parked(deployment),
    )


def parked(deployment: Deployment) -> int:
    """Dead letters in the registry."""
    engine = create_engine(deployment.registry_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM dead_letters")).scalar_one())
    finally:
        engine.dispose()


_AGAIN = re.compile(r"search: notes\.classified: .*?(\d+) (?:duplicate|stale)")
_LOUD = re.compile(r"\b(?:WARNING|ERROR|CRITICAL)\b")


def redone(logs: str) -> int:
    """Notes that reached the index a second time and changed nothing, as search counted them."""
    return sum(int(number) for number in _AGAIN.findall(logs))


def loud(logs: str) -> int:
    """Log lines from WARNING up."""
    return sum(1 for line in logs.splitlines() if _LOUD.search(line))
