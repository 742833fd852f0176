"""`valise serve` and `valise run`: the embedded deployment, one service of the distributed one."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.runtime import logs
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Service(StrEnum):
    """The services of the distributed deployment."""

    INGEST = "ingest"
    CLASSIFY = "classify"
    SEARCH = "search"


def serve(
    data: Annotated[Path | None, typer.Option(help="Dossier des données.")] = None,
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port d'écoute.")] = 8000,
) -> None:
    """Met en service tout Valise sur cette machine, sans autre logiciel."""
    settings = Settings.from_env(os.environ)
    if settings.distributed:
        raise Misconfigured(
            "VALISE_KAFKA et VALISE_ELASTICSEARCH sont donnés : lancer chaque service par "
            "« valise run ingest|classify|search », ou retirer ces réglages pour « valise serve »"
        )
    if data is not None:
        settings = settings.model_copy(update={"data": data})
    if host not in LOOPBACK:
        _check_reachable(settings)
    # The engines load only where they are served: the client commands do without them.
    from services import embedded  # noqa: PLC0415
    from services.runtime import tracing, web  # noqa: PLC0415

    with web.listen(host, port) as listener, tracing.started(os.environ):
        embedded.serve(settings, listener)


def _check_reachable(settings: Settings) -> None:
    """Raises Misconfigured for a deployment that is not fit to be reached from other machines."""
    from services.runtime.registry import Registry  # noqa: PLC0415

    if "public_url" not in settings.model_fields_set:
        raise Misconfigured(
            "pour être joint d'autres machines, donner dans VALISE_PUBLIC_URL l'adresse publique "
            "du service, celle d'un mandataire qui chiffre (TLS) ; sinon écouter sur 127.0.0.1"
        )
    registry = Registry(settings.registry_url)
    try:
        ready = registry.has_administrator()
    except Unavailable:
        ready = False  # no data folder yet
    finally:
        registry.close()
    if not ready:
        raise Misconfigured(
            "sans clés d'accès, « valise serve » n'écoute que sur cette machine (127.0.0.1) : le "
            "démarrer une première fois ici, ce qui crée la clé d'administrateur"
        )


def run(
    service: Annotated[Service, typer.Argument(metavar="SERVICE", help="Service à lancer.")],
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port d'écoute.")] = 8000,
) -> None:
    """Lance un service du déploiement réparti (Kafka, Elasticsearch, PostgreSQL)."""
    settings = Settings.from_env(os.environ)
    if not settings.distributed:
        raise Misconfigured(
            "« valise run » demande VALISE_KAFKA, VALISE_ELASTICSEARCH et VALISE_DATABASE ; "
            "sans eux, lancer « valise serve »"
        )
    logs.set_up(settings.log_level, settings.log_format or "json", service.value)
    # The engines load only where they are served.
    from services import distributed  # noqa: PLC0415
    from services.runtime import private, tracing, web  # noqa: PLC0415

    private.close_elsewhere(settings)
    with web.listen(host, port) as listener, tracing.started(os.environ):
        app = distributed.APPLICATIONS[service.value](settings)
        web.serve(app, listener, settings.proxies)
