"""Errors as every service answers them: `application/problem+json`, in French, no internals."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from schemas.answers import Problem
from services.runtime.errors import Unavailable
from services.runtime.french import complaints

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_KNOWN: dict[int, tuple[str, str]] = {
    400: ("Requête non valide", "La requête ne peut pas être lue."),
    401: ("Identification requise", "Cette adresse demande une clé d'accès valide."),
    403: ("Accès refusé", "Vous n'avez pas le droit d'accéder à cette adresse."),
    404: ("Introuvable", "Rien ne se trouve à cette adresse."),
    405: ("Méthode non admise", "Cette adresse n'admet pas cette méthode HTTP."),
    406: ("Format indisponible", "Aucun des formats demandés n'est disponible."),
    408: ("Envoi trop lent", "L'envoi n'est pas arrivé à temps."),
    409: ("Conflit", "La demande contredit ce qui est déjà enregistré."),
    410: ("Disparu", "Ce qui se trouvait à cette adresse n'y est plus."),
    412: ("Version dépassée", "Ce que vous modifiez a changé entre-temps."),
    413: ("Envoi trop volumineux", "L'envoi dépasse la taille admise."),
    414: ("Adresse trop longue", "L'adresse demandée porte trop de paramètres."),
    415: ("Type de contenu non admis", "Cette adresse n'admet pas ce type de contenu."),
    422: ("Données non valides", "Les données transmises ne sont pas valides."),
    428: ("Version à préciser", "Cette demande doit indiquer la version visée (If-Match)."),
    429: ("Trop de requêtes", "Veuillez patienter avant de recommencer."),
    431: ("En-têtes trop volumineux", "Les en-têtes de la requête dépassent la taille admise."),
    500: ("Erreur interne", "Le service a rencontré une erreur inattendue."),
    503: (
        "Service momentanément indisponible",
        "Le service ne peut pas traiter la demande pour l'instant. Veuillez réessayer plus tard.",
    ),
}


class ProblemError(Exception):
    """Ends a request with this problem; `detail` is in French, `errors` are per field."""

    def __init__(
        self,
        status: int,
        title: str | None = None,
        detail: str | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.problem = problem(status, title, detail, errors)
        self.headers = headers
        super().__init__(f"{status} {self.problem.title}: {self.problem.detail}")

    @classmethod
    def of(cls, said: Problem) -> Self:
        """The same with a problem that was made before."""
        error = cls(said.status, said.title, said.detail, said.errors)
        error.problem = said
        return error


def problem(
    status: int,
    title: str | None = None,
    detail: str | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
) -> Problem:
    """A problem with this status; title and detail default to what is usually said of it."""
    usual = _KNOWN.get(status, _KNOWN[500 if status >= 500 else 400])
    return Problem(
        title=title or usual[0],
        status=status,
        detail=detail or usual[1],
        errors=[dict(error) for error in errors] if errors else None,
    )


def answer(said: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response of a problem."""
    return Response(
        said.model_dump_json(exclude_none=True),
        status_code=said.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def unavailable(error: Unavailable) -> Response:
    """503 with Retry-After; the reason goes to the log, what may be said of it to the sender."""
    logger.warning("unavailable: %s", error.reason)
    return answer(away(error), {"Retry-After": str(error.retry_after)})


def away(error: Unavailable) -> Problem:
    """The problem of what is not available now."""
    return problem(503, detail=error.said)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These errors as FastAPI's `responses` takes them, for the OpenAPI document."""
    return {
        status: {
            "description": _KNOWN[status][0],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def _without_the_frameworks_own(answers: dict[str, Any]) -> None:
    """Drop the 422 that FastAPI documents by itself: it is never answered in that form."""
    if "HTTPValidationError" in str(answers.get("422", {}).get("content", {})):
        del answers["422"]


def install(app: FastAPI) -> None:
    """Have every error of the application answered as a problem, the framework's own included."""
    documented = app.openapi

    def with_problem() -> dict[str, Any]:
        document = documented()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        for operations in document.get("paths", {}).values():
            for operation in operations.values():
                _without_the_frameworks_own(operation.get("responses", {}))
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        return document

    app.openapi = with_problem  # type: ignore[method-assign]

    @app.exception_handler(ProblemError)
    async def _ours(_: Request, error: ProblemError) -> Response:
        return answer(error.problem, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, __: ClientDisconnect) -> Response:
        # Nobody reads this: it is no failure of ours, which would be logged as one.
        return answer(problem(400, detail="L'envoi a été interrompu."))

    @app.exception_handler(Unavailable)
    async def _away(_: Request, error: Unavailable) -> Response:
        return unavailable(error)

    @app.exception_handler(HTTPException)
    async def _of_the_framework(_: Request, error: HTTPException) -> Response:
        # Its detail is in English; ours go through ProblemError.
        if isinstance(error.__cause__, ProblemError):
            return answer(error.__cause__.problem, error.__cause__.headers)
        return answer(problem(error.status_code), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return answer(problem(422, errors=complaints(error.errors(), whole="requête")))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        logger.error("failed: %s %s", request.method, request.url.path, exc_info=error)
        return answer(problem(500))
