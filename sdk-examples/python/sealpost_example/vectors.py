"""Checks the vectors of the repository: known answers, and what has to be refused."""

import json
import sys
from pathlib import Path

from . import attachment, token
from .encoding import read_bytes, read_id, read_key, write_bytes
from .envelope import Device, EnvelopeError, open_envelope, parse, seal
from .gateway_rules import accept_token, check_public_key
from .ids import contact_conversation_id, group_conversation_id, read_checksum, session_checksum
from .keys import Key, signature_holds

# What is in the folder and no matter of bots.
NOT_FOR_BOTS = {
    "README.md",
    "keyservice_v1.json",
    "keyservice_v2.json",
    "rsa_for_tests.pem",
    "tls",
}


class Deviation(Exception):
    """A vector does not hold, or is of a kind that is not known here."""


class VectorFile:
    """One file. Each of its members has to be taken, and each member of each case to be known."""

    def __init__(self, path):
        self.name = path.name
        self.count = 0
        self.place = ""
        self._members = json.loads(path.read_text(encoding="utf-8"))
        self.take("source")

    def take(self, member):
        self.place = member
        return self._members.pop(member)

    def cases(self, member, *names):
        """The cases of a list, their values in the order of `names`."""
        cases = self.take(member)
        if not cases:
            raise Deviation("an empty list")
        for index, case in enumerate(cases):
            self.place = f"{member}[{index}]"
            if set(case) != set(names):
                raise Deviation(f"members {sorted(case)}, known are {sorted(names)}")
            self.count += 1
            yield [case[name] for name in names]

    def end(self):
        self.place = ""
        if self._members:
            raise Deviation(f"unknown members {sorted(self._members)}")


def same(found, expected):
    if found != expected:
        raise Deviation(f"{found!r} where {expected!r} is right")


def refuses(function, *arguments):
    """Insists on a refusal, and gives it."""
    try:
        function(*arguments)
    except ValueError as error:
        return error
    raise Deviation("what has to be refused was not")


def check_base64url(file):
    for data, text, also_read in file.cases("forms", "bytes", "text", "also_read"):
        same(write_bytes(bytes.fromhex(data)), text)
        for form in [text, *also_read]:
            same(read_bytes(form), bytes.fromhex(data))
    for _, text, _ in file.cases("refused", "name", "text", "reason"):
        refuses(read_bytes, text)


def check_ids(file):
    for text, written in file.cases("accepted", "text", "id"):
        same(str(read_id(text)), written)
    for text, _ in file.cases("refused", "text", "reason"):
        refuses(read_id, text)


def check_checksum(file):
    for _, sessions, checksum in file.cases("valid", "name", "sessions", "checksum"):
        for order in (sessions, sessions[::-1]):
            same(session_checksum([read_id(text) for text in order]), read_checksum(checksum))
    for text in file.take("invalid"):
        file.count += 1
        refuses(read_checksum, text)


def check_conversation_id(file):
    for _, users, expected in file.cases("contacts", "name", "users", "conversation_id"):
        one, other = (read_id(user) for user in users)
        same(str(contact_conversation_id(one, other)), expected)
        same(str(contact_conversation_id(other, one)), expected)
    names = ["name", "owner", "group_name", "random_id", "participants", "conversation_id"]
    for _, owner, name, random_id, participants, expected in file.cases("groups", *names):
        participants = [read_id(participant) for participant in participants]
        found = group_conversation_id(read_id(owner), name, read_id(random_id), participants)
        same(str(found), expected)


def check_keys(file):
    names = ["seed", "ed25519_public_key", "x25519_public_key", "statement"]
    for seed, signing, agreement, statement in file.cases("pairs", *names):
        key = Key(bytes.fromhex(seed))
        same(write_bytes(key.signing_public), signing)
        same(write_bytes(key.agreement_public), agreement)
        check_public_key(key.signing_public)
        check_statement(key, **statement)
    for public, _ in file.cases("refused", "ed25519_public_key", "reason"):
        refuses(check_public_key, bytes.fromhex(public))
    for public, _ in file.cases("agreement_refused", "x25519_public_key", "reason"):
        refuses(Key(bytes(32)).agree, bytes.fromhex(public))
    for _, text, _ in file.cases("texts_refused", "name", "public_key", "reason"):
        refuses(read_key, text)
    names = ["name", "ed25519_public_key", "message", "signature"]
    for _, public, message, signature in file.cases("signatures_refused", *names):
        holds = signature_holds(read_key(public), bytes.fromhex(message), read_bytes(signature))
        same(holds, False)


def check_statement(
    key,
    user_id,
    added_by,
    signed_by_new_key,
    signature_of_new_key,
    signed_by_adder,
    signature_of_same_key_as_adder,
):
    """What a new device and the one that adds it sign: who says it, account, session, key."""
    facts = read_id(user_id).bytes + read_id(added_by).bytes + key.signing_public
    for text, signed, signature in [
        (b"sealpost session v1 new key", signed_by_new_key, signature_of_new_key),
        (b"sealpost session v1 adding key", signed_by_adder, signature_of_same_key_as_adder),
    ]:
        statement = text.ljust(32, b"\0") + facts
        same(statement.hex(), signed)
        same(write_bytes(key.sign(statement)), signature)
        same(signature_holds(key.signing_public, statement, read_bytes(signature)), True)


def check_envelope(file):
    names = ["name", "sender_seed", "sender_public_key", "plaintext", "checksum", "envelope"]
    for _, seed, public, plaintext, checksum, envelope, devices in file.cases(
        "opens", *names, "devices"
    ):
        sender, plaintext = Key(bytes.fromhex(seed)), bytes.fromhex(plaintext)
        envelope = read_bytes(envelope)
        same(write_bytes(sender.agreement_public), public)
        same(session_checksum(parse(envelope).slots), checksum)
        for device in devices:
            same(set(device), {"session_id", "seed", "public_key", "slice"})
            key, session = Key(bytes.fromhex(device["seed"])), read_id(device["session_id"])
            same(write_bytes(key.agreement_public), device["public_key"])
            for data in (envelope, read_bytes(device["slice"])):
                same(open_envelope(data, session, key, {read_key(public)}), plaintext)
        opens_what_it_seals(sender, plaintext, [(d["session_id"], d["seed"]) for d in devices])
    for _, envelope, _ in file.cases("malformed", "name", "envelope", "reason"):
        same(refuses(parse, read_bytes(envelope)).kind, "malformed")
    for _, envelope, session, seed in file.cases(
        "unreadable", "name", "envelope", "session_id", "seed"
    ):
        parse(read_bytes(envelope))
        same(kind_of_refusal(envelope, session, seed, None), "unreadable")
    names = ["name", "envelope", "session_id", "seed", "senders", "error"]
    for _, envelope, session, seed, senders, error in file.cases("refused", *names):
        same(kind_of_refusal(envelope, session, seed, senders), error)


def kind_of_refusal(envelope, session, seed, senders):
    if senders is not None:
        senders = {read_key(sender) for sender in senders}
    key = Key(bytes.fromhex(seed))
    error = refuses(open_envelope, read_bytes(envelope), read_id(session), key, senders)
    if not isinstance(error, EnvelopeError):
        raise Deviation(f"refused by chance: {error!r}")
    return error.kind


def opens_what_it_seals(sender, plaintext, devices):
    devices = [(read_id(session), Key(bytes.fromhex(seed))) for session, seed in devices]
    recipients = [Device(session, key.agreement_public) for session, key in devices]
    sealed = seal(plaintext, sender, recipients)
    for session, key in devices:
        same(open_envelope(sealed, session, key, {sender.agreement_public}), plaintext)


def check_plain_cryptography(file):
    names = ["sender_seed", "sender_agreement_key", "plaintext", "devices", "envelope"]
    for seed, public, plaintext, devices, envelope in file.cases("envelopes", *names):
        same(Key(bytes.fromhex(seed)).agreement_public.hex(), public)
        for device in devices:
            same(set(device), {"session_id", "seed", "agreement_key"})
            key, session = Key(bytes.fromhex(device["seed"])), read_id(device["session_id"])
            same(key.agreement_public.hex(), device["agreement_key"])
            opened = open_envelope(bytes.fromhex(envelope), session, key, {bytes.fromhex(public)})
            same(opened, bytes.fromhex(plaintext))


def check_attachment(file):
    for plaintext, key, digest, data in file.cases("cases", "plaintext", "key", "digest", "bytes"):
        key, digest = bytes.fromhex(key), bytes.fromhex(digest)
        same(attachment.decrypt(read_bytes(data), key, digest), bytes.fromhex(plaintext))
        same(
            attachment.decrypt(*attachment.encrypt(bytes.fromhex(plaintext))),
            bytes.fromhex(plaintext),
        )
    for _, key, digest, data in file.cases("refused", "name", "key", "digest", "bytes"):
        key, digest = bytes.fromhex(key), bytes.fromhex(digest)
        refuses(attachment.decrypt, read_bytes(data), key, digest)


def check_token(file):
    request, claims, now = file.take("request"), file.take("claims"), file.take("now")
    public = read_key(file.take("ed25519_public_key"))
    key = Key(bytes.fromhex(file.take("seed")))
    accepted = file.take("accepted")
    file.count += 1
    same(set(request), {"method", "path", "body"})
    digest = token.request_digest(request["method"], request["path"], request["body"].encode())
    same(claims["sig"], digest)
    same(key.signing_public, public)
    in_order = {name: claims[name] for name in ("uid", "sid", "iat", "exp", "jti", "sig", "scp")}
    same(token.sign(in_order, key), accepted)
    same(accept_token(accepted, public, digest, now), claims)
    for _, refused, _ in file.cases("refused", "name", "token", "reason"):
        refuses(accept_token, refused, public, digest, now)


CHECKS = {
    "attachment.json": check_attachment,
    "base64url.json": check_base64url,
    "checksum.json": check_checksum,
    "conversation_id.json": check_conversation_id,
    "envelope_v1.json": check_envelope,
    "ids.json": check_ids,
    "keys.json": check_keys,
    "plain_cryptography.json": check_plain_cryptography,
    "token.json": check_token,
}


def main(folder):
    found = {path.name: path for path in Path(folder).iterdir() if path.name not in NOT_FOR_BOTS}
    if found.keys() != CHECKS.keys():
        sys.exit(f"files {sorted(found)}, known are {sorted(CHECKS)}")
    count = 0
    for name, check in CHECKS.items():
        file = VectorFile(found[name])
        try:
            check(file)
            file.end()
        except Exception as error:  # noqa: BLE001 - whatever it is, the vector does not hold
            sys.exit(f"{name}: {file.place}: {error!r}")
        count += file.count
    print(f"{count} vectors hold")
