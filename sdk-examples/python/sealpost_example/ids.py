"""Ids that everybody can compute, and the checksum of a list of sessions."""

import hashlib
import re
import uuid

_CHECKSUM = re.compile(r"([0-9a-f]{32})?", re.ASCII)


def session_checksum(sessions):
    """Lower-case MD5 of the sessions' ids, each once, sorted and joined with nothing.

    It finds an old list and protects nothing, which is why MD5 will do.
    """
    texts = sorted({str(session) for session in sessions})
    return hashlib.md5("".join(texts).encode(), usedforsecurity=False).hexdigest() if texts else ""


def read_checksum(text):
    """The checksum itself, when it is one."""
    if not _CHECKSUM.fullmatch(text):
        raise ValueError("a checksum is empty, or 32 digits of lower-case hexadecimal")
    return text


def contact_conversation_id(one, other):
    """The conversation of two accounts, whoever asks."""
    return _combine(str(one), str(other))


def group_conversation_id(owner, name, random_id, participants):
    """The id of a group that `owner` makes with these other participants."""
    group = _combine(str(_combine(str(owner), name)), str(random_id))
    for participant in sorted(participants, key=str):
        group = _combine(str(group), str(participant))
    return group


def _combine(one, other):
    # The order of texts is that of their bytes in UTF-8, which is also Python's.
    digest = hashlib.md5("".join(sorted([one, other])).encode(), usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest, version=3)


def id_because_of(cause, purpose):
    """The id of what is sent because of `cause`: the same one however often it is made."""
    digest = hashlib.sha256(purpose.encode() + cause.bytes).digest()
    return uuid.UUID(bytes=digest[:16], version=4)
