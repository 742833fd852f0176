"""The sign-in page: a form for a key, one for a link that opens the pages once, and ProConnect."""

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import Request, Response

from services.runtime.access import forgery
from services.runtime.access.cookies import Cookie
from services.runtime.access.gate import Gate
from services.runtime.access.sessions import Sessions, new_secret
from services.runtime.problems import ProblemError
from services.search.pages import html
from services.search.sign_in.target import HOME, PROCONNECT, checked

NO_STORE = {"Cache-Control": "no-store"}

WRONG_KEY = "Cette clé est inconnue, expirée ou révoquée."
WRONG_TICKET = (
    "Ce lien a déjà servi ou n’est plus valable. Demandez-en un autre avec « valise login »."
)
NOT_FROM_HERE = "Le formulaire n’a pas pu être vérifié. Envoyez-le à nouveau depuis cette page."
NOT_DONE = "La connexion par ProConnect n’a pas abouti. Vous pouvez recommencer."


def no_rights(name: str) -> str:
    """What somebody is told whom the mapping file gives nothing."""
    return (
        f"ProConnect vous a reconnu ({name}), mais vous n’avez pas de droits dans Valise. "
        "Adressez-vous à l’administrateur du service."
    )


async def sign_in_page(
    request: Request,
    *,
    proconnect: bool,
    fields: Mapping[str, str] | None = None,
    error: str | None = None,
    status: int = 200,
) -> Response:
    """The page, whose form fits a cookie that the browser gets with it.

    `fields` are what was sent before, in place of the address's parameters.
    """
    sessions = sessions_of(request)
    given = request.query_params if fields is None else fields
    ticket = given.get("billet")
    key = await sessions.ticket_key(request, ticket, take=False) if ticket else None
    suite = checked(given.get("suite"))
    cookie = entry_cookie(sessions)
    entry = cookie.read(request) or new_secret()
    answer = html(
        request,
        "sign_in.html",
        status,
        NO_STORE,
        suite=suite,
        csrf_token=forgery.token(entry),
        ticket=ticket if key is not None else None,
        name=key.name if key is not None else None,
        proconnect=_proconnect(suite) if proconnect else None,
        error=error or (WRONG_TICKET if ticket and key is None else None),
        ended="fin" in given and fields is None,
    )
    cookie.put(answer, entry)
    return answer


def entry_cookie(sessions: Sessions) -> Cookie:
    """Ties the form to the browser that was shown it."""
    return sessions.cookie_for("valise-entree")


def sessions_of(request: Request) -> Sessions:
    """The application's sessions. Raises ProblemError (404) where it has none."""
    gate: Gate = request.app.state.gate
    if gate.sessions is None:
        raise ProblemError(404)
    return gate.sessions


def _proconnect(suite: str) -> str:
    return PROCONNECT if suite == HOME else f"{PROCONNECT}?suite={quote(suite, safe='/')}"
