"""How engines are reached: secrets from files, and settings that do not fit together."""

from pathlib import Path

import pytest
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from services.runtime.errors import Misconfigured
from services.runtime.log import kafka_settings
from services.runtime.settings import Settings
from services.search.index.elastic import ElasticIndex
from tests.deployment import secure

ENGINES = {
    "VALISE_KAFKA": "k:9093",
    "VALISE_ELASTICSEARCH": "https://e:9200",
    "VALISE_DATABASE": "postgresql://valise@d/valise?sslmode=verify-full",
}
SIGN_IN = {"VALISE_KAFKA_USER": "valise", "VALISE_KAFKA_PASSWORD": "tres-secret"}


def settings(**changes: str) -> Settings:
    return Settings.from_env(ENGINES | changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"VALISE_KAFKA_SECURITY": "TLS"}, "VALISE_KAFKA_SECURITY"),
        ({"VALISE_KAFKA_SECURITY": "SASL_SSL"}, "demande VALISE_KAFKA_USER"),
        ({"VALISE_KAFKA_SECURITY": "SASL_SSL", "VALISE_KAFKA_USER": "v"}, "VALISE_KAFKA_PASSWORD"),
        (SIGN_IN, "VALISE_KAFKA_SECURITY=SASL_SSL"),
        (SIGN_IN | {"VALISE_KAFKA_SECURITY": "SSL"}, "non SSL"),
        ({"VALISE_KAFKA_CA": "ca.crt"}, "VALISE_KAFKA_CA demande"),
        ({"VALISE_KAFKA_MECHANISM": "MD5"}, "VALISE_KAFKA_MECHANISM"),
        ({"VALISE_ELASTICSEARCH_USER": "v"}, "vont ensemble"),
        ({"VALISE_ELASTICSEARCH_PASSWORD": "tres-secret"}, "vont ensemble"),
        ({"VALISE_ELASTICSEARCH": "http://e:1", "VALISE_ELASTICSEARCH_CA": "c"}, "demande https"),
        ({"VALISE_ELASTICSEARCH": "https://v:tres-secret@e:1"}, "ne doit porter"),
        (
            {"VALISE_DATABASE_PASSWORD": "x", "VALISE_DATABASE": "postgresql://d/v"},
            "demande un utilisateur",
        ),
        (
            {"VALISE_DATABASE_PASSWORD": "tres-secret", "VALISE_DATABASE": "postgresql://u:p@d/v"},
            "sans mot de passe",
        ),
        (
            {"VALISE_DATABASE_PASSWORD_FILE": "f", "VALISE_DATABASE_PASSWORD": "tres-secret"},
            "tous deux",
        ),
        ({"VALISE_DATABASE_PASSWORD_FILE": "/nicht/da"}, "VALISE_DATABASE_PASSWORD_FILE"),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_it_without_a_password(
    changes: dict[str, str], named: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        settings(**changes)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "tres-secret" not in str(refused.value)


def test_kafka_settings_without_kafka_are_a_mistake() -> None:
    with pytest.raises(Misconfigured, match="VALISE_KAFKA manque"):
        Settings.from_env({"VALISE_KAFKA_SECURITY": "SSL"})


def test_a_secret_stands_in_a_file_whose_last_line_break_is_not_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("clé: à/b@c\n", encoding="utf-8")
    given = settings(VALISE_DATABASE_PASSWORD_FILE=str(tmp_path / "p"))
    assert given.registry_url == (
        "postgresql://valise:cl%C3%A9%3A%20%C3%A0%2Fb%40c@d/valise?sslmode=verify-full"
    )
    (tmp_path / "p").write_text("\n")
    with pytest.raises(Misconfigured, match="est vide"):
        settings(VALISE_DATABASE_PASSWORD_FILE=str(tmp_path / "p"))


def test_no_password_is_in_what_settings_show_of_themselves() -> None:
    given = settings(
        VALISE_KAFKA_SECURITY="SASL_SSL",
        VALISE_DATABASE="postgresql://valise:tres-secret@d/valise",
        VALISE_ELASTICSEARCH_USER="valise",
        VALISE_ELASTICSEARCH_PASSWORD="tres-secret",
        **SIGN_IN,
    )
    assert "tres-secret" not in repr(given) + str(given)


@pytest.mark.parametrize(
    ("security", "mechanism", "kind", "protocol"),
    [
        ("SASL_SSL", "SCRAM-SHA-512", SASLScram512, "SASL_SSL"),
        ("SASL_SSL", "SCRAM-SHA-256", SASLScram256, "SASL_SSL"),
        ("SASL_PLAINTEXT", "PLAIN", SASLPlaintext, "SASL_PLAINTEXT"),
    ],
)
def test_kafka_is_reached_as_the_settings_say(
    security: str, mechanism: str, kind: type[BaseSecurity], protocol: str
) -> None:
    given = settings(VALISE_KAFKA_SECURITY=security, VALISE_KAFKA_MECHANISM=mechanism, **SIGN_IN)
    assert type(kafka_settings.security(given)) is kind
    connection = kafka_settings.connection(given)
    assert connection["security_protocol"] == protocol
    assert (connection["ssl_context"] is not None) == (protocol == "SASL_SSL")
    assert connection["sasl_mechanism"] == mechanism


def test_kafka_with_tls_only_and_with_nothing() -> None:
    encrypted = kafka_settings.connection(settings(VALISE_KAFKA_SECURITY="SSL"))
    assert encrypted["security_protocol"] == "SSL"
    assert encrypted["ssl_context"].check_hostname
    assert kafka_settings.security(settings()) is None


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.crt").write_text("pas un certificat")
    for path in (tmp_path / "absent.crt", tmp_path / "no.crt"):
        given = settings(VALISE_KAFKA_SECURITY="SSL", VALISE_KAFKA_CA=str(path))
        with pytest.raises(Misconfigured, match="VALISE_KAFKA_CA"):
            kafka_settings.security(given)
        with pytest.raises(Misconfigured, match="VALISE_ELASTICSEARCH_CA"):
            ElasticIndex(settings(VALISE_ELASTICSEARCH_CA=str(path)))


def test_the_compose_scripts_are_shell_that_parses() -> None:
    import subprocess

    scripts = sorted(secure.COMPOSE.rglob("*.sh"))
    assert len(scripts) == 4
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
