"""Signs every made-up request with a keystore's key, as a client of the gateway would.

A module of hooks for schemathesis. What it sends is wrong in other ways; without a good token nothing
but the authentication would be tried. The keystore's path is in SEALPOST_KEYSTORE.
"""

import base64
import hashlib
import json
import os
import time
import uuid

import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with open(os.environ["SEALPOST_KEYSTORE"], encoding="utf-8") as file:
    KEYSTORE = json.load(file)
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYSTORE["session_private_key"])[:32])


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SignedToken(requests.auth.AuthBase):
    """A token bound to the request, at the moment in which it is sent."""

    def __call__(self, request):
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            return request
        now = int(time.time())
        bound = request.method.encode() + request.path_url.encode() + body
        claims = {
            "uid": KEYSTORE["app_id"],
            "sid": KEYSTORE["session_id"],
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
            "scp": "FULL",
            "sig": hashlib.sha256(bound).hexdigest(),
        }
        head = unpadded(json.dumps({"alg": "EdDSA", "typ": "JWT"}).encode())
        signed = head + "." + unpadded(json.dumps(claims).encode())
        request.headers["Authorization"] = f"Bearer {signed}.{unpadded(KEY.sign(signed.encode()))}"
        return request


schemathesis.auth.set_from_requests(SignedToken())


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what would end the caller's own session, and with it everything after."""
    keystore = (case.path_parameters or {}).get("id")
    return not (case.method == "DELETE" and keystore == KEYSTORE["session_id"])
