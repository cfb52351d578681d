"""What a gateway checks and a bot need not: public keys that are registered, and request tokens."""

import json
from base64 import urlsafe_b64decode

from .encoding import read_id, write_bytes
from .keys import signature_holds

CLOCK_AHEAD = 60
LONGEST_LIFE = 90 * 24 * 60 * 60

# The curve of Ed25519 (RFC 8032, section 5.1).
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, PRIME) % PRIME
NEUTRAL = (0, 1)


def check_public_key(data):
    """`ValueError` unless these are the one encoding of a point of prime order.

    Not in constant time, which a public key does not need.
    """
    y = int.from_bytes(data, "little") & (2**255 - 1)
    if y >= PRIME:
        raise ValueError("the key is not in its canonical encoding")
    x = _square_root((y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME)
    if x == 0 and data[31] >> 7:
        raise ValueError("the key is not in its canonical encoding")
    if (x, y) == NEUTRAL or _multiply(ORDER, (x, y)) != NEUTRAL:
        raise ValueError("the key has small or mixed order")


def _square_root(square):
    root = pow(square, (PRIME + 3) // 8, PRIME)
    if root * root % PRIME != square:
        root = root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if root * root % PRIME != square:
        raise ValueError("the key is no point of the curve")
    return root


def _multiply(scalar, point):
    result = NEUTRAL
    for bit in f"{scalar:b}":
        result = _add(result, result)
        if bit == "1":
            result = _add(result, point)
    return result


def _add(one, other):
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % PRIME
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME
    return x, y


def accept_token(token, public, digest, now):
    """The claims of a token that is good for the request with this digest; or `ValueError`."""
    header, payload, signature = (_part(text) for text in token.split("."))
    if header_fault := _header_fault(json.loads(header)):
        raise ValueError(header_fault)
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError("the token's claims are malformed")
    try:
        claims["uid"], claims["sid"] = (str(read_id(claims[name])) for name in ("uid", "sid"))
        issued, expires, signed = claims["iat"], claims["exp"], claims["sig"]
    except (KeyError, TypeError) as error:
        raise ValueError("the token's claims are malformed") from error
    if not signature_holds(public, token.rpartition(".")[0].encode(), signature):
        raise ValueError("the token's signature does not match")
    if expires <= now or issued > now + CLOCK_AHEAD or expires - issued > LONGEST_LIFE:
        raise ValueError("it is not the token's time, or that is too long")
    if signed != digest:
        raise ValueError("the token was made for another request")
    return claims


def _part(text):
    """The bytes of a token's part, which has one form alone (RFC 7515)."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if write_bytes(data) != text:
        raise ValueError("the token is not three parts of base64url")
    return data


def _header_fault(header):
    if not isinstance(header, dict) or header.get("alg") != "EdDSA":
        return "the token's algorithm is not EdDSA"
    return "the token demands critical extensions" if "crit" in header else None
