"""A session's key in both forms, and the keystore that `sealpost bot create` writes."""

import hashlib
import json
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from .encoding import read_id


class Key:
    """A seed's two key pairs: Ed25519 signs requests, X25519 seals and opens."""

    def __init__(self, seed):
        self._signing = Ed25519PrivateKey.from_private_bytes(seed)
        # X25519 clamps the scalar itself, so the first half of the seed's hash is the secret.
        secret = hashlib.sha512(seed).digest()[:32]
        self._agreement = X25519PrivateKey.from_private_bytes(secret)
        self.signing_public = self._signing.public_key().public_bytes_raw()
        self.agreement_public = self._agreement.public_key().public_bytes_raw()

    def sign(self, message):
        return self._signing.sign(message)

    def agree(self, public):
        """The secret shared with the owner of an X25519 key. `ValueError` when that key is weak."""
        return self._agreement.exchange(X25519PublicKey.from_public_bytes(public))


def signature_holds(public, message, signature):
    """Whether the owner of an Ed25519 key has signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True)
class Keystore:
    """Who the bot is. The key is not shown when this is printed."""

    user: UUID
    session: UUID
    key: Key
    url: str

    @classmethod
    def read(cls, path):
        """Reads a keystore. The address in `SEALPOST_URL` goes before the one in there."""
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        user = stored.get("app_id") or stored.get("client_id") or stored["user_id"]
        url = os.environ.get("SEALPOST_URL") or stored.get("base_url")
        if not url:
            raise ValueError("the keystore names no gateway: set SEALPOST_URL")
        return cls(
            read_id(user), read_id(stored["session_id"]), _key(stored["session_private_key"]), url
        )

    def __repr__(self):
        return f"Keystore(user={self.user}, session={self.session})"


def _key(text):
    """The key of 64 hexadecimal digits, or of 128: others write its public half too."""
    data = bytes.fromhex(text)
    key = Key(data[:32])
    if data[32:] not in (b"", key.signing_public):
        raise ValueError("session_private_key is not a seed, or not one with its public key")
    return key
