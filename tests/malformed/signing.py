"""Signs every made-up request as a client of the gateway would: with a keystore's key, where phones ask
with the number and password of one that it registers, and where members do with a device's key.

A module of hooks for schemathesis. What it sends is wrong in other ways; without a good token nothing
but the authentication would be tried. The keystore's path is in SEALPOST_KEYSTORE, the gateway's address in SEALPOST_GATEWAY.
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


PHONE = ("+14152222222", "the password of a phone")


def register_phone() -> None:
    gateway = os.environ["SEALPOST_GATEWAY"]
    code = requests.get(f"{gateway}/v1/accounts/dev/code/{PHONE[0]}", timeout=30)
    code.raise_for_status()
    attributes = {
        "signalingKey": base64.b64encode(bytes(52)).decode(),
        "fetchesMessages": True,
        "registrationId": 1,
    }
    path = f"{gateway}/v1/accounts/code/{code.text.replace('-', '')}"
    requests.put(path, json=attributes, auth=PHONE, timeout=30).raise_for_status()


register_phone()


MEMBER = Ed25519PrivateKey.generate()


def standard(data: bytes) -> str:
    return base64.b64encode(data).decode()


def register_member() -> None:
    users = f"{os.environ['SEALPOST_GATEWAY']}/hushnet/users"
    created = requests.post(f"{users}/create", json={"username": "anna"}, timeout=30)
    created.raise_for_status()
    user = created.json()["user"]["id"]
    prekey = os.urandom(32)
    device = {
        "user_id": user,
        "identity_pubkey": standard(MEMBER.public_key().public_bytes_raw()),
        "prekey_pubkey": standard(os.urandom(32)),
        "one_time_prekeys": [{"key": standard(os.urandom(32))}],
        "signed_prekey": {"key": standard(prekey), "signature": standard(MEMBER.sign(prekey))},
        "device_label": "made up",
        "push_token": "",
        "enrollment_token": created.json()["enrollment_token"],
    }
    requests.post(f"{users}/{user}/devices", json=device, timeout=30).raise_for_status()


register_member()


def sign_as_member(request):
    now = str(int(time.time()))
    request.headers["X-Identity-Key"] = standard(MEMBER.public_key().public_bytes_raw())
    request.headers["X-Timestamp"] = now
    request.headers["X-Signature"] = standard(MEMBER.sign(now.encode()))
    return request


class SignedToken(requests.auth.AuthBase):
    """A token bound to the request, at the moment in which it is sent."""

    def __call__(self, request):
        if request.path_url.startswith("/hushnet/"):
            return sign_as_member(request)
        if request.path_url.startswith(("/v1/", "/v2/")):
            return requests.auth.HTTPBasicAuth(*PHONE)(request)
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
    """Leaves out what would end the caller's own session or device, and with it everything after."""
    parameters = case.path_parameters or {}
    is_own = parameters.get("id") == KEYSTORE["session_id"] or str(parameters.get("which")) == "1"
    return not (case.method == "DELETE" and is_own)
