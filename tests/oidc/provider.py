"""The identity provider of the tests: the certified `oidc-provider`, in a process of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

from tests.pipeline.deployments import free_port

HERE = Path(__file__).resolve().parent

CLIENT_ID, CLIENT_SECRET = "valise", "un-secret-de-ce-test-assez-long-pour-servir"

SIRET = "13001653800014"
PEOPLE: dict[str, dict[str, Any]] = {
    "camille": {
        "given_name": "Camille",
        "usual_name": "Lemaire",
        "email": "camille.lemaire@sante.gouv.fr",
        "siret": SIRET,
        "idp_id": "71144ab3-ee1a-4401-b7b3-79b44f7daeeb",
    },
    "alex": {
        "given_name": "Alex",
        "usual_name": "Inconnu",
        "email": "alex@exemple.fr",
        "siret": "21750001600019",
        "idp_id": "0e7c099f-fe86-49a0-b7d1-19df45397212",
    },
}


class IdentityProvider:
    """The provider, for a client that is served at `base`."""

    def __init__(self, base: str) -> None:
        node = shutil.which("node")
        if node is None or not (HERE / "node_modules" / "oidc-provider").is_dir():
            pytest.skip("no Node.js, or no oidc-provider in tests/oidc (make test installs it)")
        self._node = node
        self._port = free_port()
        self.issuer = f"http://127.0.0.1:{self._port}"
        self._config = {
            "issuer": self.issuer,
            "port": self._port,
            "people": PEOPLE,
            "client": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [f"{base}/connexion/retour"],
                "post_logout_redirect_uris": [f"{base}/deconnexion/retour"],
            },
        }

    def __enter__(self) -> Self:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._node, HERE / "provider.mjs", json.dumps(self._config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"]},
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if line == "ready\n":
                return self
        raise AssertionError("".join(said))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def settings(self) -> dict[str, str]:
        """How the service is told of it."""
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
        }
