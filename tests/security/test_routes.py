"""Who gets past the door of each route: a table that a new route must be written into."""

import pytest

from tests.security.conftest import RIGHTS, Target
from tests.security.routes import ADMITS, NOT_ASKED, filled, served_by

SERVICES = ("ingest", "classify", "search")


def test_every_route_is_in_the_table() -> None:
    assert sorted(served_by("embedded")) == sorted(ADMITS)


def test_what_the_services_answer_apart_is_what_they_answer_together() -> None:
    apart = [served_by(service) for service in SERVICES]
    assert frozenset().union(*apart) == served_by("embedded")
    for_machines = {"GET /openapi.json", "GET /health/live", "GET /health/ready", "GET /metrics"}
    assert frozenset.intersection(*apart) == for_machines


@pytest.mark.parametrize("who", RIGHTS)
def test_a_caller_gets_past_the_doors_of_its_roles_and_no_other(target: Target, who: str) -> None:
    key = target.key(who)
    for route, admitted in target.admits.items():
        method, path = route.split()
        may = who in admitted.split() or who == "all"
        if may and route in NOT_ASKED:
            continue
        answer = target.client.request(method, filled(path), headers=key)
        if may:
            assert answer.status_code not in (401, 403, 405, 500), (route, answer.text)
        else:
            assert answer.status_code == (401 if who == "none" else 403), (route, answer.text)
