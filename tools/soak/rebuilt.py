"""A rebuild of many notes on real Elasticsearch, while notes stream in and somebody searches."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from schemas.events import ClassifiedNote, encode
from schemas.note import Note
from schemas.topics import CLASSIFIED
from services.runtime.log import Entry
from services.search.rebuild_http import PATH
from tests.builders import a_classified_note
from tests.pipeline.corpus import many
from tests.pipeline.deployments import Deployment
from tests.pipeline.test_kills import total, wait_until
from tools.soak.faults import RATE, Course, Seen, conclude, distributed
from tools.soak.traffic import Expected, Traffic, shown_as

FILL = 500
FILL_SECONDS = 1_800.0
REBUILD_SECONDS = 1_800.0


def rebuild(course: Course) -> Seen:
    """`valise rebuild` of `course.rebuilt` notes under writes and reads."""
    number = course.rebuilt
    seen = Seen(
        f"rebuild of {number} notes under writes and reads",
        "0 lost, 0 doubled; search never empty, its total never falls",
        course.seed,
    )
    with distributed(course) as deployment:
        there = asyncio.run(_fill(deployment, number, course.seed))
        wait_until(lambda: total(deployment) == number, FILL_SECONDS)
        notes = many(100_000, course.seed, "WHILE")
        with Traffic(deployment, notes, rate=RATE / 5) as traffic:
            wait_until(lambda: traffic.found > number)
            begun = time.monotonic()
            summary = _rebuilt(deployment)
            ended = time.monotonic()
            traffic.finish(also=number)
            conclude(seen, deployment, traffic, also=there)
    during = [each for each in traffic.samples if begun <= each.at <= ended]
    totals = [each.found for each in during if each.found is not None]
    grows = all(one <= following for one, following in pairwise(totals))
    seen.kept &= bool(summary.get("complete")) and len(totals) == len(during) > 0
    seen.kept &= grows and min(totals) >= number
    seconds = statistics.quantiles((each.seconds for each in during), n=20)[-1]
    meanwhile = sum(begun <= each.at <= ended for each in traffic.attempts if each.status == 202)
    seen.remarks.append(
        f"{summary['notes']} notes in {summary['seconds']:.0f} s "
        f"({summary['notes'] / summary['seconds']:.0f} notes/s), {meanwhile} accepted meanwhile; "
        f"{len(totals)} searches, the smallest total {min(totals)}, p95 {seconds:.2f} s"
    )
    return seen


async def _fill(deployment: Deployment, number: int, seed: int) -> Mapping[str, Expected]:
    """So many notes on the log, classified; what is to be shown of each."""
    log = deployment.open_log()
    expected: dict[str, Expected] = {}
    entries: list[Entry] = []
    try:
        for raw in many(number, seed, "THERE"):
            event: ClassifiedNote = a_classified_note(Note.model_validate(raw))
            expected[str(event.note_id)] = shown_as(event.classification)
            entries.append(Entry(str(event.note_id).encode(), encode(event)))
            if len(entries) == FILL:
                await log.append(CLASSIFIED.name, entries)
                entries = []
        await log.append(CLASSIFIED.name, entries)
    finally:
        await log.stop()
    return expected


def _rebuilt(deployment: Deployment) -> dict[str, Any]:
    """The summary in which a rebuild ended; raises AssertionError where it ended in a problem."""
    last: dict[str, Any] = {}
    address = f"{deployment.search}{PATH}"
    with deployment.http.stream("POST", address, timeout=REBUILD_SECONDS) as answer:
        for line in answer.iter_lines():
            last = json.loads(line)
    assert "summary" in last, last
    return dict(last["summary"])
