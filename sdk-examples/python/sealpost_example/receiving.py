"""Receiving: what comes is opened, handled, and only then acknowledged."""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from .encoding import read_bytes, read_id
from .envelope import open_envelope, parse
from .errors import GatewayError

WAIT = 30
# The gateway holds what it hands out for a minute, so few enough to be answered in that time.
LIMIT = 20
REMEMBERED = 10_000


@dataclass(frozen=True)
class Incoming:
    """A text that was opened, from the account whose key sealed it."""

    id: UUID
    conversation: UUID
    sender: UUID
    text: str


class Unreadable(Exception):
    """A message that cannot be opened, now or later."""


class Inbox:
    """The messages of this session, by long poll."""

    def __init__(self, keystore, gateway):
        self._keystore = keystore
        self._gateway = gateway
        self._handled = OrderedDict()
        self._keys = {}

    def listen(self, handle, on_ready=lambda: None, until=lambda: False):
        """Calls `handle` for each text until `until()`. One that it fails for comes again."""
        messages = self._gateway.read_inbox(0, LIMIT)
        on_ready()
        while True:
            done = [message.message_id for message in messages if self._take_care(message, handle)]
            try:
                if done:
                    self._gateway.acknowledge(done)
                if until():
                    return
                messages = self._gateway.read_inbox(WAIT, LIMIT)
            except GatewayError as error:
                # A bot outlives its gateway's restart.
                if not error.may_pass:
                    raise
                print(f"trying again: {error}", file=sys.stderr)
                messages = []

    def _take_care(self, message, handle):
        """Whether the message needs no further care."""
        # Ids are their senders' own: two of them may use the same.
        key = (message.user_id, message.message_id)
        if key in self._handled:
            return True
        try:
            incoming = self._open(message)
            if incoming:
                handle(incoming)
        except Unreadable as error:
            # It would never open; left in the inbox, it would stand in the way of others.
            print(f"message {message.message_id}: {error}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - one message must not end the program
            print(f"message {message.message_id} comes again: {error!r}", file=sys.stderr)
            return False
        self._handled[key] = True
        if len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)
        return True

    def _open(self, message):
        """The text; nothing for what is no text, or is the gateway's own news."""
        if message.category != "ENCRYPTED_TEXT":
            return None
        keystore = self._keystore
        try:
            data = read_bytes(message.data_base64)
            sender, conversation = read_id(message.user_id), read_id(message.conversation_id)
            senders = self._keys_of(sender, parse(data).sender)
            text = open_envelope(data, keystore.session, keystore.key, senders).decode()
        except ValueError as error:
            raise Unreadable(str(error)) from error
        return Incoming(message.message_id, conversation, sender, text)

    def _keys_of(self, sender, key):
        """The keys that were published for the sender; asks again when `key` is not among them.

        A session may have ended since it sent, so keys that were seen are kept.
        """
        keys = self._keys.setdefault(sender, set())
        if key not in keys:
            devices = self._gateway.devices_of([sender]).get(sender, [])
            keys.update(device.key for device in devices)
        return keys
