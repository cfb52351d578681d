"""Opens and seals envelopes with nothing but `cryptography`, written from the byte layout alone.

1 version | 2 session count, little endian | 32 sender key | 64 for each session: 16 id, 16 IV,
32 AES-256-CBC of the message key | 12 nonce | AES-128-GCM ciphertext and 16-byte tag

Shares no code with the SDK or with mixin_sdk.py. Unlike most clients it checks everything: the
lengths, the padding of the slot and the authentication tag.
Reads one JSON object from standard input and writes one to standard output.
"""

import base64
import hashlib
import json
import os
import sys
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

HEADER = 1 + 2 + 32
SLOT = 16 + 16 + 32
NONCE = 12


def agreement_secret(seed):
    """X25519 clamps the scalar itself, so the first half of the seed's hash is the private key."""
    return X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])


def open_envelope(envelope, session, seed):
    version, count = envelope[0], int.from_bytes(envelope[1:3], "little")
    if version != 1 or len(envelope) < HEADER + count * SLOT + NONCE + 16:
        raise ValueError("not an envelope")
    slots = envelope[HEADER : HEADER + count * SLOT]
    mine = [
        slots[at : at + SLOT]
        for at in range(0, len(slots), SLOT)
        if slots[at : at + 16] == session.bytes
    ]
    if len(mine) != 1:
        raise ValueError(f"{len(mine)} slots for this session")
    shared = agreement_secret(seed).exchange(X25519PublicKey.from_public_bytes(envelope[3:35]))
    decryptor = Cipher(algorithms.AES(shared), modes.CBC(mine[0][16:32])).decryptor()
    padded = decryptor.update(mine[0][32:]) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    key = unpadder.update(padded) + unpadder.finalize()
    if len(key) != 16:
        raise ValueError("the message key has a wrong length")
    body = envelope[HEADER + len(slots) :]
    return AESGCM(key).decrypt(body[:NONCE], body[NONCE:], None)


def seal_envelope(plaintext, seed, recipients):
    secret = agreement_secret(seed)
    key = os.urandom(16)
    padder = PKCS7(128).padder()
    padded = padder.update(key) + padder.finalize()
    slots = []
    for recipient in recipients:
        theirs = X25519PublicKey.from_public_bytes(bytes.fromhex(recipient["agreement_key"]))
        iv = os.urandom(16)
        encryptor = Cipher(algorithms.AES(secret.exchange(theirs)), modes.CBC(iv)).encryptor()
        wrapped = encryptor.update(padded) + encryptor.finalize()
        slots.append(uuid.UUID(recipient["session_id"]).bytes + iv + wrapped)
    nonce = os.urandom(NONCE)
    header = b"\x01" + len(slots).to_bytes(2, "little") + secret.public_key().public_bytes_raw()
    return header + b"".join(slots) + nonce + AESGCM(key).encrypt(nonce, plaintext, None)


def read_token(token, public_key):
    """Verified by PyJWT, which insists on the algorithm, the signature and the expiry."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    return jwt.decode(token, key, algorithms=["EdDSA"])


def main():
    job = json.load(sys.stdin)
    opened = [
        open_envelope(
            base64.urlsafe_b64decode(case["data_base64"] + "=="),
            uuid.UUID(case["session_id"]),
            bytes.fromhex(case["private_key"])[:32],
        )
        for case in job["sealed"]
    ]
    sealed = [
        seal_envelope(bytes.fromhex(case["plaintext"]), bytes.fromhex(case["seed"]), case["to"])
        for case in job["to_seal"]
    ]
    answer = {
        "opened": [plaintext.hex() for plaintext in opened],
        "sealed": [envelope.hex() for envelope in sealed],
        "claims": [read_token(case["token"], case["public_key"]) for case in job["tokens"]],
    }
    json.dump(answer, sys.stdout)


main()
