"""`valise provision`: once before the services start, makes tables, topics and index."""

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import ALL
from services.cli.terminal import say
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.settings import Settings

WAIT_SECONDS = 2.0
"""Between two tries while an engine is away."""


def provision(
    wait: Annotated[
        float, typer.Option(min=0, help="Secondes à attendre des moteurs absents.")
    ] = 0.0,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="Où laisser la première clé d'administrateur, s'il n'y en a encore eu aucune."
        ),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="En faire une autre : celles d'avant sont perdues.")
    ] = False,
) -> None:
    """Prépare le déploiement réparti : tables, clé, sujets Kafka, index. Peut se répéter."""
    settings = Settings.from_env(os.environ)
    if not settings.distributed:
        raise Misconfigured(
            "« valise provision » demande VALISE_KAFKA, VALISE_ELASTICSEARCH et VALISE_DATABASE ; "
            "« valise serve » se prépare tout seul"
        )
    for name, prepare in (
        ("registre", _registry),
        ("clé", partial(_key, key_file, new_key)),
        ("sujets", _topics),
        ("index", _index),
    ):
        until = time.monotonic() + wait
        while True:
            try:
                say(f"{name} : {prepare(settings)}")
                break
            except Unavailable:
                if time.monotonic() >= until:
                    raise
                time.sleep(WAIT_SECONDS)


def _registry(settings: Settings) -> str:
    from services.runtime.registry import Registry  # noqa: PLC0415  (not in every install)

    registry = Registry(settings.registry_url)
    try:
        registry.migrate()
    finally:
        registry.close()
    return "tables à jour"


def _key(path: Path | None, anew: bool, settings: Settings) -> str:
    from services.runtime.access.first import make_key  # noqa: PLC0415
    from services.runtime.registry import Registry  # noqa: PLC0415

    registry = Registry(settings.registry_url)
    try:
        if path is not None and (anew or not registry.has_administrator()):
            make_key(registry, path)
            return f"clé d'administrateur dans {path}"
        if registry.has_administrator():
            return "un administrateur en a une"
    finally:
        registry.close()
    return "aucune : donner --key-file"


def _topics(settings: Settings) -> str:
    from services.runtime.log.kafka import KafkaLog  # noqa: PLC0415

    async def make() -> None:
        log = KafkaLog(settings)
        try:
            await log.provision(ALL)
        finally:
            await log.stop()

    asyncio.run(make())
    return ", ".join(settings.topic_prefix + topic.name for topic in ALL)


def _index(settings: Settings) -> str:
    from services.search.index.elastic import ElasticIndex  # noqa: PLC0415

    async def make() -> str:
        index = ElasticIndex(settings)
        try:
            await index.start()
            return index.generation
        finally:
            await index.stop()

    return asyncio.run(make())
