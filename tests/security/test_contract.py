"""What the OpenAPI document says is what each caller gets, whatever is asked (schemathesis)."""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.security.conftest import RIGHTS, Target
from tests.security.routes import ADMITS, STARTS_A_RUN

EXAMPLES, FEWER = 4, 2
"""For each operation, caller and manner: fewer on the services of the distributed deployment, where
each answer takes longer. `make soak` asks for hundreds."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENTED = ("/api/", "/feeds/", "/health/", "/metrics")
NO_REQUEST = (400, 404, 405, 413, 414, 422)
LATE = ("DELETE /api/v1/keys", "POST /api/v1/keys")
"""Asked last: they may end the keys of the others."""


@pytest.mark.parametrize("who", RIGHTS)
def test_whatever_is_asked_is_answered_as_documented(target: Target, who: str) -> None:
    document = target.client.get("/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            # Keys are ours to choose: schemathesis would put wrong ones in their place.
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.label for operation in operations} == documented(target)
    wrong: list[str] = []
    for operation in sorted(operations, key=lambda one: one.label.startswith(LATE)):
        admitted = admits(operation.label)
        may = who in admitted or who == "all"
        if may and operation.label in STARTS_A_RUN:
            continue
        key = target.key(who)
        for mode in GenerationMode:
            try:
                ask(operation, mode, target, key, refused(who, may))
            except Unsatisfiable:
                # Where nothing is asked, or any text will do, nothing can be asked wrongly.
                assert mode.is_negative, operation.label
            # All that is wrong is told, not the first.
            except (Exception, BaseExceptionGroup) as error:
                wrong.append(f"{operation.label} ({mode}): {told(error)}")
    assert not wrong, "\n\n".join(wrong)


def documented(target: Target) -> set[str]:
    """What its document has to tell of: all that it answers but pages, styles, and itself."""
    routes = (route.split() for route in target.admits)
    return {
        f"{method} {path.replace(':path}', '}')}"
        for method, path in routes
        if path.startswith(DOCUMENTED) and method != "HEAD"
    }


def examples(target: Target) -> int:
    """How often an operation is asked in one manner."""
    usual = EXAMPLES if target.name == "embedded" else FEWER
    return int(os.environ.get("VALISE_EXAMPLES", usual))


def refused(who: str, may: bool) -> int | None:
    """The answer to who may not."""
    return None if may else 401 if who == "none" else 403


def told(error: BaseException) -> str:
    """What went wrong, what it is made of included."""
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return "\n".join([str(error), *map(told, parts)])


def admits(label: str) -> list[str]:
    """Who may, by the table of routes."""
    return ADMITS[label.replace("/feeds/{path}", "/feeds/{path:path}")].split()


def ask(
    operation: Any, mode: GenerationMode, target: Target, key: dict[str, str], status: int | None
) -> None:
    """Ask the operation many ways with this key; `status`: what every one of them must get."""

    @settings(
        max_examples=examples(target),
        phases=[Phase.explicit, Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Case) -> None:
        answer = case.call(base_url=target.url, headers=key, timeout=60)
        case.validate_response(answer, checks=CHECKS)
        if status is not None:
            # What is no request at all (a body that is not JSON, a value of the wrong type, too
            # much of either) may be told so first.
            allowed = (status, *NO_REQUEST) if mode.is_negative else (status,)
            assert answer.status_code in allowed, (answer.status_code, answer.request.url)

    asked()
