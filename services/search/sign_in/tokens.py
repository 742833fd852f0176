"""Tokens of the identity provider: believed only as OpenID Connect Core 1.0 (3.1.3.7) has it.

RS256 and nothing else, a key that the provider publishes, its name, ours, and the time.
"""

import hmac
from collections.abc import Collection, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import ValidationError

from schemas.access import Person

ALGORITHM = "RS256"
SMALLEST_KEY = 2048
LEEWAY_SECONDS = 30
"""How far the provider's clock and ours may differ."""
MAX_LENGTH = 32 * 1024

Keys = Mapping[str, RSAPublicKey]


class Refused(Exception):
    """Somebody is not let in. The reason is for the log and holds nothing of a token."""


class UnknownKey(Refused):
    """The key that a token names is none that is known."""


def signing_keys(document: Any) -> Keys:
    """The keys for our algorithm in a JWKS document, by their id; others are left out."""
    found: dict[str, RSAPublicKey] = {}
    given = document.get("keys") if isinstance(document, dict) else None
    for each in given if isinstance(given, list) else []:
        if not isinstance(each, dict) or each.get("kty") != "RSA" or "kid" not in each:
            continue
        if each.get("use", "sig") != "sig" or each.get("alg", ALGORITHM) != ALGORITHM:
            continue
        try:
            key = jwt.PyJWK(each, algorithm=ALGORITHM).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY:
            found[str(each["kid"])] = key
    return found


def claims_of(token: str, keys: Keys, issuer: str, client_id: str) -> dict[str, Any]:
    """What a token says, once all that vouches for it was checked.

    Raises UnknownKey where its key is none of these, Refused.
    """
    if len(token) > MAX_LENGTH:
        raise Refused("a token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise Refused(f"no token ({type(error).__name__})") from None
    if header.get("alg") != ALGORITHM:
        raise Refused(f"a token is not signed with {ALGORITHM}")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise UnknownKey("a token is signed with a key that is not published")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            # For us alone: a token that is for others too is one that others have.
            options={"require": ["iss", "aud", "sub", "exp", "iat"], "strict_aud": True},
        )
    except jwt.PyJWTError as error:
        raise Refused(f"a token does not hold ({type(error).__name__})") from None
    return claims


def checked_id_token(claims: Mapping[str, Any], nonce: str, levels: Collection[str]) -> str:
    """Whose the ID token is, if it is the answer to this very sign-in. Raises Refused."""
    if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise Refused("an ID token has another nonce")
    if levels and claims.get("acr") not in levels:
        raise Refused("the level of assurance (acr) is not the one demanded")
    return str(claims["sub"])


def person_of(claims: Mapping[str, Any], subject: str) -> Person:
    """The person that the signed userinfo speaks of. Raises Refused: another one, or none."""
    if claims["sub"] != subject:
        raise Refused("userinfo is somebody else's")
    try:
        return Person.model_validate(
            {name: claims[name] for name in Person.model_fields if claims.get(name) is not None}
        )
    except ValidationError as error:
        fields = sorted({str(each["loc"][0]) for each in error.errors()})
        raise Refused(f"userinfo has a claim that cannot be read: {', '.join(fields)}") from None
