"""Why Kafka does not let us in: aiokafka says only that it could not connect."""

import asyncio
import contextlib
import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from services.runtime.log import kafka_settings
from services.runtime.settings import Settings

LIMIT_SECONDS = 5.0
"""For one server; a broker answers a wrong password within a second."""


async def refusal(settings: Settings) -> str | None:
    """What is wrong with our settings in the eyes of the first server that says so, in one line.

    None where no server refuses us. No password is in it.
    """
    options = kafka_settings.connection(settings)
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                connection = await create_conn(host, port, **options)
        except (AuthenticationFailedError, SaslAuthenticationFailed):
            return f"Kafka at {host}:{port} refuses VALISE_KAFKA_USER and its password"
        except UnsupportedSaslMechanismError:
            return (
                f"Kafka at {host}:{port} does not offer VALISE_KAFKA_MECHANISM="
                f"{settings.kafka_mechanism}"
            )
        except ssl.SSLCertVerificationError as error:
            return (
                f"the certificate of Kafka at {host}:{port} is not trusted (VALISE_KAFKA_CA): "
                f"{error.verify_message}"
            )
        except ssl.SSLError:
            return f"Kafka at {host}:{port} speaks no TLS: see VALISE_KAFKA_SECURITY"
        except (KafkaError, OSError, TimeoutError):
            continue
        with contextlib.suppress(KafkaError, OSError):
            connection.close()
    return None
