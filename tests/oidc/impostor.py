"""An identity provider that says whatever a test has it say: tokens are signed by the test."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.oidc.provider import CLIENT_ID, PEOPLE

KEY = generate_private_key(65537, 2048)
OTHER_KEY = generate_private_key(65537, 2048)
WEAK_KEY = generate_private_key(65537, 1024)

Claims = dict[str, Any]


def b64(data: bytes) -> str:
    """Base 64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: RSAPrivateKey, kid: str, **more: str) -> dict[str, Any]:
    """The public half as a JWKS has it."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "RS256", **more}


def signed(claims: Claims, key: RSAPrivateKey = KEY, kid: str | None = "k1", **header: Any) -> str:
    """A token, signed as it should be."""
    named = {**header} if kid is None else {"kid": kid, **header}
    return jwt.encode(claims, key, algorithm="RS256", headers=named)


def unsigned(claims: Claims, name: str = "none") -> str:
    """A token that says that it needs no signature."""
    header = {"alg": name, "typ": "JWT", "kid": "k1"}
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."


def by_mac(claims: Claims, secret: bytes, name: str = "HS256") -> str:
    """A token with a MAC in place of a signature, under a secret that is none."""
    header = {"alg": name, "typ": "JWT", "kid": "k1"}
    said = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{said}.{b64(hmac.digest(secret, said.encode(), sha256))}"


def public_pem() -> bytes:
    """The public key as everybody can have it."""
    return KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@dataclass
class Impostor:
    """What it answers, each part to be replaced by a test; and what it was asked."""

    issuer: str
    nonce: str = ""
    id_token: Callable[[Claims], str] = signed
    userinfo: Callable[[Claims], str] = signed
    userinfo_type: str = "application/jwt"
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(KEY, "k1")])
    described: dict[str, Any] = field(default_factory=dict)
    token_answer: Response | None = None
    asked: list[str] = field(default_factory=list)
    posted: dict[str, str] = field(default_factory=dict)

    def claims(self, **more: Any) -> Claims:
        """What both tokens say."""
        now = int(time.time())
        return {
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "camille", "iat": now, "exp": now + 60,
            **more,
        }  # fmt: skip

    @property
    def app(self) -> Starlette:
        """The provider."""
        routes = {
            "/.well-known/openid-configuration": self._description,
            "/jwks": self._keys,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        return Starlette(
            routes=[Route(path, does, methods=["GET", "POST"]) for path, does in routes.items()]
        )

    async def _description(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        return JSONResponse(known | self.described)

    async def _keys(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"keys": self.keys})

    async def _token(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        self.posted = {name: str(value) for name, value in (await request.form()).items()}
        if self.token_answer is not None:
            return self.token_answer
        id_token = self.id_token(self.claims(nonce=self.nonce, acr="eidas1"))
        return JSONResponse({"access_token": "opaque", "id_token": id_token})

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        assert request.headers["Authorization"] == "Bearer opaque"
        said = self.userinfo(self.claims(**PEOPLE["camille"]))
        return Response(said, media_type=self.userinfo_type)
