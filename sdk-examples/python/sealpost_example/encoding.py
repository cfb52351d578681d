"""The texts of ids and of bytes, read strictly: what is half right is wrong."""

import base64
import re
import uuid

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_BASE64 = re.compile(r"([A-Za-z0-9_-]*|[A-Za-z0-9+/]*)(={0,2})", re.ASCII)


def read_id(text):
    """The UUID of a text in the form with hyphens, in either case; `uuid.UUID` takes many more."""
    if not _ID.fullmatch(text):
        raise ValueError("an id is hexadecimal with hyphens after 8, 12, 16 and 20 digits")
    return uuid.UUID(text)


def write_bytes(data):
    """Base64 in the URL alphabet without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_bytes(text):
    """The bytes of base64 in one of both alphabets, with the right padding or none."""
    found = _BASE64.fullmatch(text)
    if not found:
        raise ValueError("a character belongs to no base64 alphabet, or both are mixed")
    digits, padding = found[1].replace("-", "+").replace("_", "/"), found[2]
    whole = digits + "=" * (-len(digits) % 4)
    if len(digits) % 4 == 1 or padding and len(digits + padding) % 4 != 0:
        raise ValueError("no number of whole bytes has an encoding of this length")
    data = base64.b64decode(whole)
    # Python drops bits that belong to no byte; two texts must not be the same bytes.
    if base64.b64encode(data).decode() != whole:
        raise ValueError("the last character has bits that belong to no byte")
    return data


def read_key(text):
    """The 32 bytes of a public key."""
    key = read_bytes(text)
    if len(key) != 32:
        raise ValueError(f"a key has 32 bytes, this one has {len(key)}")
    return key
