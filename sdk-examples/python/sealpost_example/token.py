"""Request tokens: a JWT (RFC 7519) with EdDSA (RFC 8037), signed for one request alone."""

import hashlib
import json
import time
import uuid

import httpx

from .encoding import write_bytes

HEADER = {"typ": "JWT", "alg": "EdDSA"}
LIFE = 120


def request_digest(method, path, body):
    """SHA-256 over method, path with query, and body."""
    return hashlib.sha256(method.encode() + path.encode() + body).hexdigest()


def sign(claims, key):
    """The token of these claims."""
    header, payload = (
        write_bytes(json.dumps(part, separators=(",", ":")).encode()) for part in (HEADER, claims)
    )
    message = f"{header}.{payload}"
    return f"{message}.{write_bytes(key.sign(message.encode()))}"


def claims(keystore, digest, now):
    """What a token says of a request with this digest."""
    return {
        "uid": str(keystore.user),
        "sid": str(keystore.session),
        "iat": now,
        "exp": now + LIFE,
        "jti": str(uuid.uuid4()),
        "sig": digest,
        "scp": "FULL",
    }


class SignedRequests(httpx.Auth):
    """Signs each request as it goes out; a generated client knows nothing of it."""

    requires_request_body = True

    def __init__(self, keystore):
        self._keystore = keystore

    def auth_flow(self, request):
        digest = request_digest(request.method, request.url.raw_path.decode(), request.content)
        token = sign(claims(self._keystore, digest, int(time.time())), self._keystore.key)
        request.headers["Authorization"] = f"Bearer {token}"
        yield request
