"""Lives of notes in any order, by chance (tests/pipeline/life.py): many, and long ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.pipeline.deployments import Deployment
from tests.pipeline.life import Life, Place
from tests.pipeline.life_places import Running, parts
from tools.soak.faults import Course, Seen, distributed, embedded

STEPS = 25
PARTS_FACTOR = 10
"""Lives on the parts of one process for one on a deployment that runs: so much quicker they are."""

PROMISED = "after each look everyone sees what the contract says, whatever happened before"


def on_the_parts(course: Course) -> Seen:
    """Step by step, in one process."""
    number = course.lives * PARTS_FACTOR
    seen = Seen(f"a note's life in any order, step by step, {number} times", PROMISED, course.seed)
    _live(course, number, parts)
    seen.kept = True
    return seen


def on_embedded(course: Course) -> Seen:
    """On `valise serve`."""
    with embedded() as deployment:
        return _on(course, deployment, "embedded")


def on_distributed(course: Course) -> Seen:
    """On the three services."""
    with distributed(course) as deployment:
        return _on(course, deployment, "distributed")


def _on(course: Course, deployment: Deployment, kind: str) -> Seen:
    name = f"{kind}: a note's life in any order, services killed, {course.lives} times"
    seen = Seen(name, PROMISED, course.seed)
    place = Running(deployment)
    try:
        _live(course, course.lives, place.another_life)
    finally:
        place.close()
    seen.kept = True
    seen.remarks.append(f"{place.kills} kills, {place.refusals} × 503 met and asked again")
    return seen


def _live(
    course: Course, number: int, open_place: Callable[[], AbstractContextManager[Place]]
) -> None:
    """Raises AssertionError where a life was not as the contract says."""

    def life() -> Life:
        return Life(open_place)

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        seed(course.seed)(life),
        settings=settings(
            derandomize=False,
            database=None,
            deadline=None,
            max_examples=number,
            stateful_step_count=STEPS,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
