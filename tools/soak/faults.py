"""The faults: each a function that breaks something while notes stream in, and says what it saw."""

import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.conftest import ROOT
from tests.pipeline.corpus import many
from tests.pipeline.deployments import Deployment, Distributed, Embedded, Process, running
from tools.soak.gateway import refusing
from tools.soak.traffic import Expected, Traffic, judge, loud, redone

sys.path.insert(0, str(ROOT / "tools" / "engines"))

import engines

RATE = 25.0
"""Notes a second while an engine is away: a busy day of the whole network, with room to catch up
on two cores shared with the engines and the senders."""
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 10.0
"""Notes go on so long after the engine is back, and then until all are found."""
AHEAD = 80
"""Under kills: notes accepted and not yet found at most, so that every kill strikes work."""
FROZEN_SECONDS = 20.0
KILLED_SECONDS = 5.0
"""From the broker's sudden death to its restart, as a supervisor would do it."""
MOVE_SECONDS = 60.0


@dataclass
class Course:
    """What a run is about: seed, sizes, engines."""

    seed: int
    directory: Path
    addresses: dict[str, str]
    notes: int = 2_000
    kills: int = 20
    long_outage: float = 300.0
    rebuilt: int = 20_000
    lives: int = 20


@dataclass
class Seen:
    """One row of the table, in plain values."""

    fault: str
    promised: str
    seed: int
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    parked: int = 0
    redone: int = 0
    loud: int = 0
    kept: bool = False
    remarks: list[str] = field(default_factory=list)


@contextmanager
def distributed(course: Course, addresses: dict[str, str] | None = None) -> Iterator[Distributed]:
    """The three services on the engines, in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="valise-soak-") as folder:
        made = Distributed(Path(folder), f"soak-{uuid4().hex[:8]}", addresses or course.addresses)
        with running(made):
            yield made


@contextmanager
def embedded() -> Iterator[Embedded]:
    """`valise serve` in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="valise-soak-") as folder:
        made = Embedded(Path(folder))
        with running(made):
            yield made


def conclude(
    seen: Seen,
    deployment: Deployment,
    traffic: Traffic,
    *,
    kept: bool = True,
    also: Mapping[str, Expected] | None = None,
) -> Seen:
    """Fill in what became of the notes, and of those that were there `also`; kept only where the
    answers were in time too."""
    verdict = judge(deployment, traffic.accepted, also)
    seen.accepted, seen.lost, seen.doubled = verdict.accepted, verdict.lost, verdict.doubled
    seen.different, seen.parked = verdict.different, verdict.parked
    logs = deployment.logs()
    seen.redone, seen.loud = redone(logs), loud(logs)
    seen.kept = kept and verdict.kept
    return seen


def kill_services(course: Course) -> Seen:
    """kill -9 of each service, in random order, under notes that keep all of them busy."""
    seen = Seen(
        f"kill -9 of ingest, classify and search, {course.kills} times each",
        "0 lost, 0 doubled; at most one batch (400) redone per kill",
        course.seed,
    )
    with distributed(course) as deployment:

        def strike(victim: str) -> None:
            deployment.services[victim].kill()
            deployment.services[victim].start()

        _kill(course, seen, deployment, tuple(deployment.services), strike)
    return seen


def kill_embedded(course: Course) -> Seen:
    """kill -9 of the server and of its classify process."""
    seen = Seen(
        f"embedded: kill -9 of the server and of its classify process, {course.kills} times each",
        "the files open and are whole; nothing accepted is lost",
        course.seed,
    )
    with embedded() as deployment:
        _kill(
            course,
            seen,
            deployment,
            ("kill_search", "kill_classify"),
            lambda victim: getattr(deployment, victim)(),
        )
    return seen


def _kill(
    course: Course,
    seen: Seen,
    deployment: Deployment,
    victims: tuple[str, ...],
    strike: Callable[[str], None],
) -> None:
    chance = random.Random(course.seed)
    strikes = sorted(
        (chance.randrange(course.notes * 9 // 10), victim)
        for victim in victims
        for _ in range(course.kills)
    )
    pauses: list[float] = []
    notes = many(course.notes, course.seed, "KILL")
    with Traffic(deployment, notes, ahead=AHEAD) as traffic:
        for point, victim in strikes:
            _until(lambda point=point: traffic.found >= point)
            time.sleep(chance.uniform(0, 0.2))
            moment = time.monotonic()
            strike(victim)
            # A kill after the last note has been found leaves nothing to be waited for.
            _until(lambda moment=moment: traffic.moved_after(moment) or traffic.found >= len(notes))
            pauses.append(traffic.moved_after(moment) or 0.0)
        traffic.finish(all_notes=True)
        conclude(seen, deployment, traffic, kept=len(traffic.accepted) == course.notes)
    seen.kept &= seen.redone <= 200 * len(strikes)
    seen.remarks.append(
        f"notes found again {statistics.median(pauses):.1f} s after a kill (median), "
        f"{max(pauses):.1f} s at most"
    )


def broker_stopped(course: Course, seconds: float) -> Seen:
    """The broker is stopped in good order and comes back after a while."""
    return _engine_away(course, "kafka", f"broker stopped {seconds:.0f} s", signal.SIGTERM, seconds)


def broker_killed(course: Course) -> Seen:
    """kill -9 of the broker."""
    return _engine_away(course, "kafka", "broker killed (-9)", signal.SIGKILL, KILLED_SECONDS)


def broker_frozen(course: Course) -> Seen:
    """SIGSTOP: connections stay open and nothing answers."""
    return _engine_away(
        course,
        "kafka",
        f"broker frozen {FROZEN_SECONDS:.0f} s (SIGSTOP)",
        signal.SIGSTOP,
        FROZEN_SECONDS,
    )


def elasticsearch_down(course: Course) -> Seen:
    """Elasticsearch stopped for minutes."""
    name = f"Elasticsearch down {course.long_outage:.0f} s"
    return _engine_away(course, "elasticsearch", name, signal.SIGTERM, course.long_outage)


def postgresql_down(course: Course) -> Seen:
    """PostgreSQL stopped for minutes."""
    name = f"PostgreSQL down {course.long_outage:.0f} s"
    return _engine_away(course, "postgres", name, signal.SIGINT, course.long_outage)


PROMISED = {
    "kafka": "ingest answers 503 with Retry-After within 5 s, never hangs; "
    "consumers move within 30 s of the return",
    "elasticsearch": "search answers 503, lag grows, no dead letters; then catch-up",
    "postgres": "ingest answers 503 with Retry-After, nothing half-written; "
    "all move again by themselves",
}
ANSWER_SECONDS = 5.0
SLACK_SECONDS = 1.0
"""What the sender's own clock may add on busy cores."""
RETURN_SECONDS = 30.0


def _engine_away(
    course: Course, engine: str, name: str, how: signal.Signals, seconds: float
) -> Seen:
    seen = Seen(name, PROMISED[engine], course.seed)
    enough = int(RATE * (seconds + BEFORE_SECONDS + AFTER_SECONDS + 120))
    notes = many(enough, course.seed, name[:12].replace(" ", ""))
    with distributed(course) as deployment, Traffic(deployment, notes, rate=RATE) as traffic:
        time.sleep(BEFORE_SECONDS)
        _until(lambda: traffic.found > 0)
        gone = time.monotonic()
        engines.kill_engine(course.directory, engine, how)
        try:
            time.sleep(max(0.0, seconds - (time.monotonic() - gone)))
        finally:
            if how is signal.SIGSTOP:
                engines.kill_engine(course.directory, engine, signal.SIGCONT)
            else:
                engines.restart_engine(course.directory, engine)
        back = time.monotonic()
        time.sleep(AFTER_SECONDS)
        _until(lambda: traffic.moved_after(back) is not None)
        traffic.finish()
        conclude(seen, deployment, traffic)
        _answers(seen, traffic, engine, gone, back)
    return seen


def _answers(seen: Seen, traffic: Traffic, engine: str, gone: float, back: float) -> None:
    """What ingest and search said while the engine was away, and when they went on."""
    asked = [each for each in traffic.attempts if gone < each.at]
    refused = [each for each in asked if each.status == 503]
    hung = [each for each in asked if each.status is None]
    seen.kept &= not hung and all(each.retry_after for each in refused)
    if refused:
        slowest = max(each.seconds for each in refused)
        typical = statistics.median(each.seconds for each in refused)
        seen.kept &= slowest <= ANSWER_SECONDS + SLACK_SECONDS
        seen.remarks.append(
            f"{len(refused)} × 503 after {typical:.2f} s (median), {slowest:.2f} s at most"
        )
    else:
        taken = max((each.seconds for each in asked), default=0.0)
        seen.remarks.append(f"no 503, slowest answer {taken:.2f} s")
    if hung:
        seen.remarks.append(f"{len(hung)} hung")
    said = {sample.status for sample in traffic.samples if gone < sample.at <= back}
    seen.remarks.append(
        "search answered " + (", ".join(sorted(str(each) for each in said)) or "nothing")
    )
    if engine == "elasticsearch":
        seen.kept &= 503 in said and not refused
    accepting, moving = traffic.accepted_after(back), traffic.moved_after(back)
    seen.kept &= accepting is not None and moving is not None and moving <= RETURN_SECONDS
    seen.remarks.append(
        f"after the return: accepted {_seconds(accepting)}, found {_seconds(moving)}"
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"after {value:.1f} s"


def refused_bulks(course: Course) -> Seen:
    """Elasticsearch refuses part of every second bulk request with 429."""
    seen = Seen(
        "429 for some or all items of every second bulk",
        "only the refused items are retried; no dead letters",
        course.seed,
    )
    with ExitStack() as stack:
        address, refusals = stack.enter_context(
            refusing(course.addresses["VALISE_ELASTICSEARCH"], course.seed)
        )
        deployment = stack.enter_context(
            distributed(course, course.addresses | {"VALISE_ELASTICSEARCH": address})
        )
        notes = many(course.notes // 2, course.seed, "BULK")
        begun = time.monotonic()
        traffic = stack.enter_context(Traffic(deployment, notes, ahead=400))
        traffic.finish(all_notes=True)
        taken = time.monotonic() - begun
        conclude(seen, deployment, traffic)
        seen.kept &= refusals.total > 0
        seen.remarks.append(f"{refusals.total} items refused; all found after {taken:.0f} s")
    return seen


def rebalance(course: Course) -> Seen:
    """One worker of classify and of search, then three, then one: SIGTERM under load."""
    seen = Seen(
        "1 → 3 → 1 workers of classify and of search; SIGTERM under load",
        "0 lost, 0 doubled; exit within 10 s, code 0",
        course.seed,
    )
    with distributed(course) as deployment:
        folder = deployment.services["search"].log.parent
        more = [
            Process(folder, f"{service}-{number}", ["run", service], deployment.env)
            for service in ("classify", "search")
            for number in (2, 3)
        ]
        notes = many(course.notes * 2, course.seed, "REB")
        try:
            with Traffic(deployment, notes, rate=RATE, ahead=400) as traffic:
                _until(lambda: traffic.found > 50)
                for process in more:
                    process.start()
                for process in more:
                    _ready(process)
                _until_more(traffic, 200)
                ends = [_terminated(process) for process in more]
                _until_more(traffic, 200)
                traffic.finish()
                conclude(seen, deployment, traffic)
        finally:
            for process in more:
                process.end()
        logs = "\n".join(process.log.read_text() for process in more)
        seen.redone += redone(logs)
        seen.loud += loud(logs)
    seen.kept &= all(code == 0 and seconds <= 10.0 for seconds, code in ends)
    slowest = max(seconds for seconds, _ in ends)
    seen.remarks.append(
        f"4 exits, codes {sorted({code for _, code in ends})}, {slowest:.1f} s at most"
    )
    return seen


def _ready(process: Process) -> None:
    """Four processes that start at once take longer than one, for which wait_ready is made."""
    for left in reversed(range(4)):
        try:
            return process.wait_ready()
        except AssertionError:
            if not left:
                raise
    return None


def _terminated(process: Process) -> tuple[float, int]:
    begun = time.monotonic()
    code = process.terminate()
    return time.monotonic() - begun, code


def _until_more(traffic: Traffic, number: int) -> None:
    goal = traffic.found + number
    _until(lambda: traffic.found >= goal)


def _until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + MOVE_SECONDS * 4
    while not true():
        if time.monotonic() > end:
            raise AssertionError("nothing moved in time")
        time.sleep(0.05)
