"""A worker: reads a topic as a group, has each record processed, and gives each one outcome.

What can never succeed is parked, what may succeed later is retried in order, and what nobody
foresaw is looked into record by record: a bug in one note parks that note, a bug in all of them
stops the worker before it floods the dead letters.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.topics import Topic
from services.runtime import metrics
from services.runtime.dead_letters import DeadLetter
from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.log import Log, Record, Redeliver, StopConsuming, Subscription
from services.runtime.logs import Ended, tell

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a record that raises something unexpected is tried by itself before it is parked."""

UNEXPECTED_IN_A_ROW = 5
"""Unexpected exceptions with no success between that mean: the bug is ours, not the notes'."""


@dataclass(frozen=True, slots=True)
class Done:
    """A record's one named outcome (classified, indexed, stale, duplicate, withdrawn…).

    `revision` and `trace` (a traceparent) are for the log, where they are known.
    """

    outcome: str
    revision: int | None = field(default=None, compare=False)
    trace: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that can never succeed: goes to the dead-letter topic with this reason."""

    reason: str
    revision: int | None = field(default=None, compare=False)
    trace: str | None = field(default=None, compare=False)


Process = Callable[[Sequence[Record]], Awaitable[Sequence[Done | Parked]]]
"""Process a batch: one result per record, in order. Raises Unavailable when the whole batch must be
retried later; any other exception is a bug and handled as contract.md says."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try: doubling from `first` to `limit` seconds, jittered.

    Ten seconds at most, so that work goes on soon after an engine is back, and no consumer stays
    away from its broker for long.
    """

    first: float = 0.1
    limit: float = 10.0

    def delay(self, failures: int) -> float:
        """Seconds after so many failures in a row (1 or more): the upper half of the step."""
        step = min(self.limit, self.first * 2.0 ** min(failures - 1, 32))
        return step * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads retries, keeps no secret


class Worker:
    """One service's consumer of one topic. Subscribe before the log is started.

    `group` is its group's name, or what tells that name once the worker subscribes.

    `counts` holds the outcomes since the start (each record has one) and `retried`, the records of
    the batches that were tried again.
    """

    def __init__(
        self,
        *,
        service: str,
        log: Log,
        topic: Topic,
        dead: Topic,
        group: str | Callable[[], str],
        process: Process,
        max_records: int = 200,
        stall_seconds: float = 60.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.counts: Counter[str] = Counter()
        self._log = log
        self._topic = topic
        self._dead = dead
        self._group = group
        self._process = process
        self._max_records = max_records
        self._backoff = backoff or Backoff()
        self._subscription: Subscription | None = None
        self._progress = _Progress(stall_seconds, self._backoff.limit, clock)
        self._waiting_for: str | None = None
        self._failures = 0
        self._unexpected = 0
        self._waiting = 0
        metrics.begin(service, topic.name)

    def subscribe(self) -> None:
        """Take this worker's place in its group; records come once the log is started."""
        self._subscription = self._log.subscribe(
            self._topic.name,
            self._group_name(),
            self._handle,
            max_records=self._max_records,
        )

    async def health(self) -> str | None:
        """None while the worker does its work or has none; else why it does not (liveness).

        What counts is progress, not an answer to a ping: a worker that waits for an engine which
        is away is well, one that has records to do and finishes none is not.
        """
        return await self._verdict(await self._behind())

    async def _behind(self) -> int | None:
        """The lag; None while the log does not tell it."""
        if self._subscription is None:
            return None
        try:
            return await self._subscription.lag()
        except Unavailable:
            return None

    async def _verdict(self, behind: int | None) -> str | None:
        if self._subscription is None:
            return "not subscribed"
        if self._subscription.failure is not None:
            failure = self._subscription.failure
            return f"stopped: {failure or type(failure).__name__}"
        if reason := self._progress.stuck():
            return reason
        if behind is None:
            # A log that is away explains itself, and a restart would not bring it back. One that
            # answers to everybody but this subscription does not.
            behind = 1 if await self._log.ready() else 0
        return self._progress.observe(behind)

    async def seen(self) -> metrics.Seen:
        """How the worker stands, for whoever scrapes."""
        lag = await self._behind()
        return metrics.Seen(
            service=self.service,
            topic=self._topic.name,
            group=self._group_name() if self._subscription is not None else "",
            up=await self._verdict(lag) is None,
            lag=lag,
            age=self._progress.age(lag),
            failures=self._failures,
            waiting=self._waiting,
        )

    def _group_name(self) -> str:
        return self._group if isinstance(self._group, str) else self._group()

    async def _handle(self, records: Sequence[Record]) -> None:
        """The log's batch handler: returns when every record has its outcome."""
        self._progress.begin()
        try:
            results = await self._results(records)
            await self._park(records, results)
        except Unavailable as error:
            raise self._again(records, error.reason) from error
        finally:
            self._progress.end()
        self._settle(records, results)

    async def _results(self, records: Sequence[Record]) -> Sequence[Done | Parked]:
        """One result per record. Raises Unavailable, StopConsuming."""
        try:
            return await self._try(records)
        except (Unavailable, Redeliver, StopConsuming):
            raise
        except Exception as bug:
            self._strike(bug, f"{len(records)} records from {records[0].origin}")
            return await self._one_by_one(records)

    async def _try(self, records: Sequence[Record]) -> Sequence[Done | Parked]:
        results = list(await self._process(records))
        if len(results) != len(records):
            raise RuntimeError(f"{len(results)} results for {len(records)} records")
        self._unexpected = 0
        return results

    def _strike(self, bug: Exception, what: str) -> None:
        """Count an unexpected exception. Raises StopConsuming at the fifth in a row."""
        self._unexpected += 1
        if self._unexpected >= UNEXPECTED_IN_A_ROW:
            reason = (
                f"{self._unexpected} unexpected exceptions in a row, "
                f"the last {_describe(bug)} at {what}"
            )
            logger.error("%s: stopped: %s", self.service, reason, exc_info=bug)
            raise StopConsuming(reason) from bug
        logger.warning("%s: unexpected %s at %s", self.service, _describe(bug), what)

    async def _one_by_one(self, records: Sequence[Record]) -> Sequence[Done | Parked]:
        """The results of a batch that raised as a whole, found record by record.

        A record that fails by itself is tried again after the others, at most three times, and
        parked only where another record succeeded since it first failed (which it did with the
        batch): otherwise nothing shows that the fault lies with the record. Later records of its
        key wait for its outcome.
        """
        results: dict[int, Done | Parked] = {}
        tries: Counter[int] = Counter()
        another_succeeded = False
        while len(results) < len(records):
            held_back: set[bytes] = set()
            for place, record in enumerate(records):
                if place in results or record.key in held_back:
                    continue
                try:
                    results[place] = (await self._try([record]))[0]
                except (Unavailable, Redeliver, StopConsuming):
                    raise
                except Exception as bug:
                    self._strike(bug, record.origin)
                    tries[place] += 1
                    if tries[place] >= TRIES and another_succeeded:
                        results[place] = Parked(f"unexpected: {_describe(bug)}")
                    elif record.key is not None:
                        held_back.add(record.key)
                else:
                    another_succeeded = True
                    self._progress.begin()
        return [results[place] for place in range(len(records))]

    async def _park(self, records: Sequence[Record], results: Sequence[Done | Parked]) -> None:
        """Append the dead letters of a batch. Raises Unavailable."""
        letters = [
            DeadLetter.of(record, reason=result.reason, service=self.service, at=datetime.now(UTC))
            for record, result in zip(records, results, strict=True)
            if isinstance(result, Parked)
        ]
        if not letters:
            return
        try:
            await self._log.append(self._dead.name, [letter.entry() for letter in letters])
        except Unprocessable:
            await self._park_each(letters)
        metrics.DEAD_LETTERS.labels(self.service, self._topic.name).inc(len(letters))
        parked = iter(letters)
        for record, result in zip(records, results, strict=True):
            if isinstance(result, Parked):
                letter = next(parked)
                ended = self._ended(record, result, letter.reason)
                message = "%s: parked %s: %s"
                tell(
                    logger,
                    logging.WARNING,
                    [ended],
                    message,
                    self.service,
                    letter.origin,
                    letter.reason,
                )

    async def _park_each(self, letters: Sequence[DeadLetter]) -> None:
        """One of them does not fit: it alone is parked without its content."""
        for letter in letters:
            try:
                await self._log.append(self._dead.name, [letter.entry()])
            except Unprocessable:
                await self._log.append(self._dead.name, [letter.without_content()])

    def _again(self, records: Sequence[Record], reason: str) -> Redeliver:
        """Note a transient failure down; what to raise so that the batch comes again."""
        self._failures += 1
        self._waiting = len(records)
        self.counts["retried"] += len(records)
        metrics.RETRIED.labels(self.service, self._topic.name).inc(len(records))
        self._progress.wait()
        if reason != self._waiting_for:
            logger.warning("%s: waiting, then trying again: %s", self.service, reason)
            self._waiting_for = reason
        return Redeliver(reason, after=self._backoff.delay(self._failures))

    def _settle(self, records: Sequence[Record], results: Sequence[Done | Parked]) -> None:
        """Count the outcomes of a batch that is about to be committed."""
        outcomes = Counter(
            result.outcome if isinstance(result, Done) else "parked" for result in results
        )
        self.counts.update(outcomes)
        for outcome, count in outcomes.items():
            metrics.OUTCOMES.labels(self.service, self._topic.name, outcome).inc(count)
        if self._waiting_for is not None:
            logger.info("%s: going on after %d tries", self.service, self._failures)
            self._waiting_for = None
        self._failures = 0
        self._waiting = 0
        self._progress.settle(records)
        counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        if logger.isEnabledFor(logging.INFO):
            told = [
                self._ended(record, result)
                for record, result in zip(records, results, strict=True)
                if isinstance(result, Done)
            ]
            message = "%s: %s: %s"
            tell(logger, logging.INFO, told, message, self.service, self._topic.name, counted)

    def _ended(self, record: Record, result: Done | Parked, reason: str | None = None) -> Ended:
        return Ended(
            service=self.service,
            outcome=result.outcome if isinstance(result, Done) else "parked",
            topic=record.topic,
            note_id=None if record.key is None else record.key.decode("ascii", "backslashreplace"),
            revision=result.revision,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            trace=result.trace,
        )


class _Progress:
    """Whether a worker gets anywhere, by a clock in seconds.

    Progress is a record settled that was not before: the same batch over and over (say, because
    its commit never succeeds) is none.
    """

    def __init__(
        self, stall_seconds: float, longest_wait: float, clock: Callable[[], float]
    ) -> None:
        self._stall_seconds = stall_seconds
        self._longest_wait = longest_wait
        self._clock = clock
        self._begun_at: float | None = None
        self._waiting_since: float | None = None
        self._behind_since: float | None = None
        self._furthest: dict[int, int] = {}
        self._content_at = clock()

    def begin(self) -> None:
        """A batch, or the next record of one, is taken in hand."""
        self._begun_at = self._clock()

    def end(self) -> None:
        """Nothing is in hand."""
        self._begun_at = None

    def wait(self) -> None:
        """The batch will be tried again: an engine is known to be away."""
        self._waiting_since = self._clock()

    def settle(self, records: Sequence[Record]) -> None:
        """These records have their outcome."""
        self._waiting_since = None
        self._content_at = self._clock()
        for record in records:
            if record.offset > self._furthest.get(record.partition, -1):
                self._furthest[record.partition] = record.offset
                self._behind_since = None

    def stuck(self) -> str | None:
        """Why the batch in hand has taken too long; None where it has not."""
        if self._begun_at is None:
            return None
        taken = self._clock() - self._begun_at
        if taken < self._stall_seconds:
            return None
        return f"a batch has been in hand for {taken:.0f} s"

    def age(self, behind: int | None) -> float:
        """Seconds since something was settled or nothing was to be done; 0 while nothing is."""
        now = self._clock()
        if behind == 0:
            self._content_at = now
        return now - self._content_at

    def observe(self, behind: int) -> str | None:
        """Told how many records are to be done: why they should have been; None while well."""
        now = self._clock()
        waiting = (
            self._waiting_since is not None
            and now - self._waiting_since < self._longest_wait + self._stall_seconds
        )
        if behind == 0 or waiting:
            self._behind_since = None
            return None
        if self._behind_since is None:
            self._behind_since = now
        taken = now - self._behind_since
        if taken < self._stall_seconds:
            return None
        return f"no progress for {taken:.0f} s, {behind} records behind"


def _describe(bug: Exception) -> str:
    return f"{type(bug).__name__}: {bug}"
