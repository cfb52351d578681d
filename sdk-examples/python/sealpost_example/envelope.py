"""Envelopes: one body, and a slot with its key for each session.

| bytes   | what                                                                      |
| ------- | ------------------------------------------------------------------------- |
| 1       | version, 1                                                                |
| 2       | number of slots, little endian, 1 to 510                                  |
| 32      | the sender's X25519 public key                                            |
| 64 each | slots: 16 session id, 16 IV, 32 AES-256-CBC of the message key and padding |
| 12      | nonce                                                                     |
| rest    | AES-128-GCM of the plaintext, with its tag of 16 bytes                    |
"""

import hmac
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER, SLOT, NONCE, TAG = 3 + 32, 64, 12, 16
MAX_SESSIONS = 510
SHORTEST = HEADER + SLOT + NONCE + TAG
# A message key fills its block, so its PKCS#7 padding is a block of nothing else.
PADDING = bytes([16] * 16)


class EnvelopeError(ValueError):
    """An envelope that was not opened or not made; `kind` says why, for programs."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Device:
    """A session and the X25519 key that is published for it."""

    session: UUID
    key: bytes


@dataclass(frozen=True)
class Envelope:
    """What can be read without any key."""

    sender: bytes
    slots: dict  # of 64 bytes each, by session, in their order
    nonce: bytes
    body: bytes


def parse(data):
    """Reads an envelope, or says what is malformed about it."""
    if len(data) < SHORTEST:
        raise EnvelopeError("malformed", f"an envelope has at least {SHORTEST} bytes")
    if data[0] != 1:
        raise EnvelopeError("malformed", f"unknown envelope version {data[0]}")
    count = int.from_bytes(data[1:3], "little")
    if not 1 <= count <= MAX_SESSIONS:
        raise EnvelopeError("malformed", f"an envelope names 1 to 510 sessions, not {count}")
    end = HEADER + count * SLOT
    if len(data) < end + NONCE + TAG:
        raise EnvelopeError("malformed", "too short for its number of sessions")
    slots = {
        UUID(bytes=data[at : at + 16]): data[at : at + SLOT] for at in range(HEADER, end, SLOT)
    }
    if len(slots) != count:
        raise EnvelopeError("malformed", "a session has more than one slot")
    return Envelope(data[3:HEADER], slots, data[end : end + NONCE], data[end + NONCE :])


def open_envelope(data, session, key, senders):
    """The plaintext for one of the sessions.

    `senders` are the published X25519 keys of whom the message claims to be from. With `None` the
    plaintext may come from anybody.
    """
    envelope = parse(data)
    slot = envelope.slots.get(session)
    if slot is None:
        raise EnvelopeError("not_for_me", f"there is no slot for session {session}")
    if senders is not None and envelope.sender not in senders:
        raise EnvelopeError("unknown_sender", "sealed by an unknown key")
    # What exactly is wrong from here on helps only an attacker.
    unreadable = EnvelopeError("unreadable", "the envelope cannot be read with this key")
    try:
        shared = key.agree(envelope.sender)
    except ValueError:
        raise unreadable from None
    decryptor = Cipher(algorithms.AES(shared), modes.CBC(slot[16:32])).decryptor()
    padded = decryptor.update(slot[32:]) + decryptor.finalize()
    is_padded = hmac.compare_digest(padded[16:], PADDING)
    try:
        plaintext = AESGCM(padded[:16]).decrypt(envelope.nonce, envelope.body, None)
    except InvalidTag:
        raise unreadable from None
    if not is_padded:
        raise unreadable
    return plaintext


def seal(plaintext, key, devices):
    """Encrypts once, and wraps the message's key for each device. Nobody is ever left out."""
    if not 1 <= len(devices) <= MAX_SESSIONS:
        raise EnvelopeError(
            "recipients", f"an envelope takes 1 to 510 sessions, not {len(devices)}"
        )
    if len({device.session for device in devices}) != len(devices):
        raise EnvelopeError("recipients", "a session is named more than once")
    message_key = os.urandom(16)
    parts = [bytes([1]), len(devices).to_bytes(2, "little"), key.agreement_public]
    parts += [_slot(message_key, key, device) for device in devices]
    nonce = os.urandom(NONCE)
    return b"".join([*parts, nonce, AESGCM(message_key).encrypt(nonce, plaintext, None)])


def _slot(message_key, key, device):
    try:
        shared = key.agree(device.key)
    except ValueError:
        text = f"session {device.session} has no usable key"
        raise EnvelopeError("recipients", text) from None
    iv = os.urandom(16)
    encryptor = Cipher(algorithms.AES(shared), modes.CBC(iv)).encryptor()
    return (
        device.session.bytes + iv + encryptor.update(message_key + PADDING) + encryptor.finalize()
    )
