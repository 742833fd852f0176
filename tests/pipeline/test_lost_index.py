"""The log wins: an index that is lost is filled again, without anybody doing anything."""

from pathlib import Path

import pytest

from tests.pipeline.corpus import SAMPLES, samples
from tests.pipeline.deployments import Deployment, deployment_of, running
from tests.pipeline.test_journey import valise
from tests.pipeline.test_kills import every_hit, total, wait_until


@pytest.mark.parametrize("kind", ["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def test_a_lost_index_is_filled_again_from_the_log(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    deployment = deployment_of(kind, tmp_path, "lost", request)
    with running(deployment):
        assert valise(deployment, "submit", str(SAMPLES)).returncode == 0
        wait_until(lambda: total(deployment) == len(samples()), 60)
        before = tags(deployment)
        deployment.lose_index()
        wait_until(lambda: total(deployment) == len(samples()), 60)
        assert tags(deployment) == before


def tags(deployment: Deployment) -> dict[str, object]:
    return {
        hit["id"]: (hit["themes"], hit["countries"], hit["received_at"], hit["revision"])
        for hit in every_hit(deployment)
    }
