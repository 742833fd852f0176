"""Settings, from the environment (prefix `VALISE_`), checked once at start."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from schemas.marks import Level
from services.runtime import setting_faults
from services.runtime.errors import Misconfigured
from services.runtime.reasons import reason
from services.runtime.setting_faults import PREFIX

MEGABYTE = 1024 * 1024

SECRETS = (
    "database",
    "database_password",
    "kafka_password",
    "elasticsearch_password",
    "oidc_client_secret",
)
"""Settings that may stand in a file: VALISE_…_FILE names it, its last line break is not part."""


class Settings(BaseModel):
    """All settings of all services; each is documented in docs/architecture.md.

    The deployment is distributed with `kafka`, `elasticsearch` and `database` set, embedded with
    neither of the first two.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: Path = Path("valise-data")
    originals: Path | None = None
    kafka: str | None = None
    elasticsearch: str | None = None
    database: str | None = Field(default=None, repr=False)
    database_password: SecretStr | None = None
    kafka_security: str = Field(
        default="PLAINTEXT", pattern=r"^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$"
    )
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_mechanism: str = Field(
        default="SCRAM-SHA-512", pattern=r"^(SCRAM-SHA-512|SCRAM-SHA-256|PLAIN)$"
    )
    kafka_ca: Path | None = None
    elasticsearch_user: str | None = None
    elasticsearch_password: SecretStr | None = None
    elasticsearch_ca: Path | None = None
    index: str = Field(default="valise-notes", pattern=r"^[a-z][a-z0-9-]{0,80}$")
    topic_prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,80}$")
    replication: int = Field(default=1, ge=1, le=10)
    index_replicas: int = Field(default=0, ge=0, le=10)
    partitions: int | None = Field(default=None, ge=1, le=1_000)
    max_body_bytes: int = Field(default=8 * MEGABYTE, ge=1_000, le=10 * MEGABYTE)
    max_ndjson_bytes: int = Field(default=256 * MEGABYTE, ge=1_000)
    max_file_bytes: int = Field(default=32 * MEGABYTE, ge=1_000, le=256 * MEGABYTE)
    journal_days: int = Field(default=365, ge=1, le=36_500)
    documents_bytes: int = Field(default=64 * MEGABYTE, ge=1_000)
    stall_seconds: float = Field(default=60.0, gt=0)
    disk_low_bytes: int = Field(default=2048 * MEGABYTE, ge=0)
    session_timeout_ms: int = Field(default=10_000, ge=6_000, le=300_000)
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+")
    rate: float = Field(default=50.0, ge=0)
    burst: int = Field(default=10_000, ge=1)
    at_once: int = Field(default=256, ge=1)
    caller_at_once: int = Field(default=64, ge=1)
    failures: int = Field(default=60, ge=0)
    proxies: str = ""
    people: Path | None = None
    session_hours: int = Field(default=12, ge=1, le=168)
    session_idle_minutes: int = Field(default=60, ge=5, le=10_080)
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scope: str = Field(
        default="openid given_name usual_name email siret idp_id", pattern=r"^openid( [!-~]+)*$"
    )
    oidc_acr: str | None = None
    approved: str = ""
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: Literal["json", "text"] | None = None

    @field_validator("approved")
    @classmethod
    def _levels(cls, given: str) -> str:
        known = ", ".join(Level)
        if unknown := set(_listed(given)) - set(Level):
            raise ValueError(f"{min(unknown)} est inconnu ; valeurs admises : {known}")
        return given

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, given: str) -> str:
        for one in filter(None, map(str.strip, given.split(","))):
            ip_network(one, strict=False)
        return given

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings. Raises Misconfigured with one line that names what is wrong."""
        given = {
            name: env[PREFIX + name.upper()]
            for name in cls.model_fields
            if env.get(PREFIX + name.upper())
        } | _from_files(env)
        if "log_level" in given:
            given["log_level"] = given["log_level"].upper()
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            hidden = name in SECRETS
            said = setting_faults.wrong(name, str(given.get(name, "")), first, secret=hidden)
            raise Misconfigured(said) from None
        if bool(settings.kafka) != bool(settings.elasticsearch):
            missing = "VALISE_ELASTICSEARCH" if settings.kafka else "VALISE_KAFKA"
            raise Misconfigured(
                f"{missing} manque : le déploiement réparti demande VALISE_KAFKA, "
                "VALISE_ELASTICSEARCH et VALISE_DATABASE ; l'embarqué, aucun des deux premiers"
            )
        if settings.kafka and not settings.database:
            raise Misconfigured(
                "VALISE_DATABASE manque : le déploiement réparti tient son registre dans PostgreSQL"
            )
        for check in (_kafka, _elasticsearch, _database, _oidc):
            complaint = check(settings)
            if complaint:
                raise Misconfigured(complaint)
        return settings

    @property
    def approved_levels(self) -> frozenset[Level]:
        """The levels of others' classification that this deployment may keep."""
        return frozenset(map(Level, _listed(self.approved)))

    @property
    def distributed(self) -> bool:
        """True on Kafka and Elasticsearch, False on the embedded engines."""
        return self.kafka is not None

    @property
    def originals_folder(self) -> Path | None:
        """Where original documents are kept; None: nowhere (distributed, and no folder is set)."""
        if self.originals is not None:
            return self.originals
        return None if self.distributed else self.data / "originals"

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry, with its password."""
        if self.database and self.database_password:
            scheme, _, rest = self.database.partition("://")
            user, _, place = rest.partition("@")
            return f"{scheme}://{user}:{_quoted(self.database_password)}@{place}"
        return self.database or f"sqlite:///{self.data / 'registry.sqlite3'}"


def check_names(env: Mapping[str, str]) -> None:
    """Raises Misconfigured for a variable that looks like a setting and is none."""
    said = setting_faults.unknown(env, Settings.model_fields, SECRETS)
    if said is not None:
        raise Misconfigured(said)


def _listed(given: str) -> list[str]:
    return [each for one in given.split(",") if (each := one.strip())]


def _quoted(password: SecretStr) -> str:
    return quote(password.get_secret_value(), safe="")


def _from_files(env: Mapping[str, str]) -> dict[str, str]:
    """The secrets that stand in files. Raises Misconfigured for one that cannot be read."""
    found = {}
    for name in SECRETS:
        setting = PREFIX + name.upper()
        path = env.get(f"{setting}_FILE")
        if not path:
            continue
        if env.get(setting):
            raise Misconfigured(
                f"{setting} et {setting}_FILE sont donnés tous deux : n'en garder qu'un"
            )
        try:
            text = Path(path).read_text(encoding="utf-8").removesuffix("\n")
        except OSError as error:
            raise Misconfigured(f"{setting}_FILE : {path} : {reason(error)}") from None
        except UnicodeDecodeError:
            raise Misconfigured(f"{setting}_FILE : {path} n'est pas un texte en UTF-8") from None
        if not text:
            raise Misconfigured(f"{setting}_FILE : {path} est vide")
        found[name] = text
    return found


def _kafka(settings: Settings) -> str | None:
    """What does not fit together in how Kafka is reached."""
    protocol = settings.kafka_security
    signs_in = settings.kafka_user is not None or settings.kafka_password is not None
    if not settings.kafka and (signs_in or settings.kafka_ca or protocol != "PLAINTEXT"):
        return (
            "VALISE_KAFKA manque, alors que la façon de joindre Kafka est donnée (VALISE_KAFKA_…)"
        )
    if protocol.startswith("SASL") and not (settings.kafka_user and settings.kafka_password):
        return (
            f"VALISE_KAFKA_SECURITY={protocol} demande VALISE_KAFKA_USER et VALISE_KAFKA_PASSWORD "
            "(ou VALISE_KAFKA_PASSWORD_FILE)"
        )
    if signs_in and not protocol.startswith("SASL"):
        return (
            "VALISE_KAFKA_USER et VALISE_KAFKA_PASSWORD demandent VALISE_KAFKA_SECURITY=SASL_SSL "
            f"(ou SASL_PLAINTEXT), non {protocol}"
        )
    if settings.kafka_ca and not protocol.endswith("SSL"):
        return f"VALISE_KAFKA_CA demande VALISE_KAFKA_SECURITY=SASL_SSL ou SSL, non {protocol}"
    return None


def _elasticsearch(settings: Settings) -> str | None:
    """What does not fit together in how Elasticsearch is reached."""
    given = {
        "VALISE_ELASTICSEARCH_USER": settings.elasticsearch_user,
        "VALISE_ELASTICSEARCH_PASSWORD": settings.elasticsearch_password,
        "VALISE_ELASTICSEARCH_CA": settings.elasticsearch_ca,
    }
    used = [name for name, value in given.items() if value]
    addresses = [each.strip() for each in (settings.elasticsearch or "").split(",")]
    if any("@" in urlsplit(address).netloc for address in addresses):
        return (
            "VALISE_ELASTICSEARCH ne doit porter ni utilisateur ni mot de passe : les donner dans "
            "VALISE_ELASTICSEARCH_USER et VALISE_ELASTICSEARCH_PASSWORD"
        )
    if bool(settings.elasticsearch_user) != bool(settings.elasticsearch_password):
        return "VALISE_ELASTICSEARCH_USER et VALISE_ELASTICSEARCH_PASSWORD vont ensemble"
    if used and not all(address.startswith("https://") for address in addresses):
        return f"{used[0]} demande https:// dans VALISE_ELASTICSEARCH"
    return None


def _database(settings: Settings) -> str | None:
    """What does not fit together in how the registry is reached."""
    if not settings.database_password:
        return None
    before, at, _ = (settings.database or "").partition("://")[2].partition("@")
    if not at or not before or ":" in before:
        return (
            "VALISE_DATABASE_PASSWORD demande un utilisateur, sans mot de passe, dans "
            "VALISE_DATABASE : postgresql://utilisateur@hôte/nom"
        )
    return None


LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""This machine, as an address names it: what goes there needs no TLS."""


def _oidc(settings: Settings) -> str | None:
    """What does not fit together in how people sign in."""
    given = {
        "VALISE_OIDC_ISSUER": settings.oidc_issuer,
        "VALISE_OIDC_CLIENT_ID": settings.oidc_client_id,
        "VALISE_OIDC_CLIENT_SECRET": settings.oidc_client_secret,
    }
    missing = [name for name, value in given.items() if not value]
    if missing and len(missing) < len(given):
        return f"{missing[0]} manque : {', '.join(given)} vont ensemble"
    if not settings.oidc_issuer:
        return None
    issuer = urlsplit(settings.oidc_issuer)
    local = issuer.hostname in LOOPBACK
    if not issuer.netloc or (issuer.scheme != "https" and not (local and issuer.scheme == "http")):
        return "VALISE_OIDC_ISSUER : une adresse qui commence par https:// est attendue"
    if issuer.query or issuer.fragment or "@" in issuer.netloc:
        return "VALISE_OIDC_ISSUER : un émetteur n'a ni utilisateur, ni paramètres, ni fragment"
    if not settings.people:
        return "VALISE_PEOPLE manque : sans lui, personne de ceux qui se connectent n'a de droits"
    return None
