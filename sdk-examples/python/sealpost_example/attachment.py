"""Attachments: 16 bytes IV, AES-256-CBC with PKCS#7 padding, 32 bytes HMAC-SHA256 over both.

The key has 64 bytes: 32 for AES, 32 for the MAC. With it the message carries the SHA-256 of all
encrypted bytes, so that whoever stores the file can neither change nor exchange it.
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7


def encrypt(plaintext):
    """The bytes to upload, the key and the digest to send."""
    key, iv = os.urandom(64), os.urandom(16)
    padder = PKCS7(128).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key[:32]), modes.CBC(iv)).encryptor()
    sealed = iv + encryptor.update(padded) + encryptor.finalize()
    data = sealed + hmac.digest(key[32:], sealed, "sha256")
    return data, key, hashlib.sha256(data).digest()


def decrypt(data, key, digest):
    """The file. `ValueError` when anything is not as its sender made it; what, is not told."""
    sealed, mac = data[:-32], data[-32:]
    is_right = hmac.compare_digest(hmac.digest(key[32:], sealed, "sha256"), mac)
    is_right &= hmac.compare_digest(hashlib.sha256(data).digest(), digest)
    if not is_right or len(sealed) < 32 or len(sealed) % 16 != 0:
        raise ValueError("the attachment cannot be read with this key and digest")
    decryptor = Cipher(algorithms.AES(key[:32]), modes.CBC(sealed[:16])).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(sealed[16:]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()
