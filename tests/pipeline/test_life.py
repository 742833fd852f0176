"""Whatever happens to a note, in any order, it is what the contract says: step by step on the
embedded parts, and for real, with processes killed, on each deployment.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.topics import CLASSIFIED, SUBMITTED
from tests.pipeline.deployments import deployment_of, running
from tests.pipeline.life import TAGS, Life
from tests.pipeline.life_places import Running, parts

LIVES = int(os.environ.get("VALISE_LIVES", "3"))
"""On a deployment that runs: each takes some seconds."""


@pytest.mark.slow
def test_in_any_order_a_note_is_what_the_contract_says() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Life(parts), settings=settings(max_examples=40, stateful_step_count=16)
    )


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.slow),
        pytest.param("distributed", marks=[pytest.mark.slow, pytest.mark.live]),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A deployment that runs."""
    with running(deployment_of(request.param, tmp_path, "life", request)) as deployment:
        found = Running(deployment)
        yield found
        found.close()


def test_a_deployment_keeps_to_the_contract_whatever_is_killed(place: Running) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Life(place.another_life),
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=16,
            # What a process was doing when it was killed cannot be had again: nothing to shrink.
            phases=(Phase.explicit, Phase.generate),
        ),
    )
    print(f"{place.life} lives, {place.kills} kills, {place.refusals} answers 503")


def each_thing_once(life: Life) -> None:
    """One life by hand: what chance seldom puts together."""
    one, other = 0, 1
    life.submit(one, "kyrielle", dies=None)
    life.submit(one, "litanie", dies=None)
    life.submit(other, "litanie", dies=1)
    life.correct(one, TAGS[0], dies=None)
    life.rectify(one, "ribambelle", major=False, late=True, dies=None)
    life.rectify(one, "ribambelle", major=False, late=False, dies=None)
    life.correct(one, TAGS[0], dies=None)
    life.look()
    life.park(one, SUBMITTED.name)
    life.park(one, CLASSIFIED.name)
    life.replay(newer=False)
    life.correct(one, TAGS[1], dies=1)
    life.rectify(one, "litanie", major=False, late=False, dies=1)
    life.replay(newer=False)
    life.by_itself("reclassify")
    life.by_itself("rebuild")
    life.look()
    life.rectify(one, "kyrielle", major=True, late=False, dies=None)
    life.kill("classify")
    life.kill("search")
    life.look()
    life.correct(one, TAGS[1], dies=None)
    life.by_itself("rebuild")
    life.withdraw(one, late=True, dies=None)
    life.withdraw(one, late=False, dies=1)
    life.withdraw(one, late=False, dies=None)
    life.withdraw(one, late=False, dies=None)
    life.submit(one, "kyrielle", dies=None)
    life.correct(one, TAGS[0], dies=None)
    life.by_itself("lose_the_index")
    life.look()
    life.park(one, CLASSIFIED.name)
    life.replay(newer=True)
    life.rectify(one, "kyrielle", major=False, late=False, dies=None)
    life.by_itself("reclassify")
    life.kill("ingest")
    life.look()
    life.withdraw(one, late=False, dies=None)
    life.rectify(one, "litanie", major=True, late=False, dies=1)
    life.by_itself("lose_the_index")
    life.by_itself("rebuild")
    life.teardown()


def test_each_thing_that_can_happen_to_a_note_happens_once() -> None:
    each_thing_once(Life(parts))


def test_each_thing_happens_once_on_a_deployment_that_runs(place: Running) -> None:
    each_thing_once(Life(place.another_life))
