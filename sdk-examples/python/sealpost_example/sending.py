"""Sending until it has arrived: seal for the list that is known, and again for the fresh one.

The gateway compares the checksum of each message with the devices that there are. When it differs,
nothing is stored and the receipt brings the list as it is now; the message is sealed for that one
and sent again under the id it had.
"""

import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from sealpost_api.models import OutgoingMessage

from .encoding import write_bytes
from .envelope import EnvelopeError, seal
from .errors import GatewayError
from .gateway import backoff, device
from .ids import contact_conversation_id, session_checksum

BATCH = 100
# A request may have 8 MiB; base64 and the other members are beside this.
BATCH_BYTES = 4 * 1024 * 1024
# How often one message is sealed anew before its recipient's devices change too fast.
ROUNDS = 6

DELIVERED, GONE, STILL_STALE = "delivered", "gone", "still stale"
NO_DEVICE = "deferred: nobody is signed in"


@dataclass(frozen=True)
class Message:
    """A text to one account. Under one id it is delivered once, however often it is sent."""

    recipient: UUID
    text: str
    id: UUID = field(default_factory=uuid4)
    conversation: UUID | None = None  # that of the two, unless it is said


class Sender:
    """Sends, and remembers everybody's devices."""

    def __init__(self, keystore, gateway, on_refresh=lambda message, before, after: None):
        """`on_refresh` is told of each message whose list of devices was old."""
        self._keystore = keystore
        self._gateway = gateway
        self._on_refresh = on_refresh
        self._known = {}

    def send(self, messages):
        """What became of each message, by its id.

        `delivered`, `gone`, `still stale`, or a text that begins with `deferred`, `rejected`,
        `failed` or `unknown`.
        """
        outcomes, waiting = {}, list(messages)
        for round_ in range(ROUNDS):
            # After a list that was old it goes on at once; one that stays old is given time.
            if waiting and round_ >= 2:
                time.sleep(backoff(round_))
            waiting = self._round(waiting, outcomes)
        outcomes.update({message.id: STILL_STALE for message in waiting})
        return outcomes

    def _round(self, messages, outcomes):
        """Takes every message one round further; gives those whose list was old."""
        stale = []
        for batch in _batches(self._sealed(messages, outcomes)):
            try:
                receipts = self._gateway.post([item for _, item in batch])
            except GatewayError as error:
                # The gateway may have these or not; sending them again under their ids is safe.
                outcomes.update({message.id: f"unknown: {error}" for message, _ in batch})
                continue
            for (message, item), receipt in zip(batch, receipts, strict=True):
                if receipt.message_id != str(item.message_id):
                    raise ValueError("a receipt is for another message")
                outcome = _outcome(receipt)
                if outcome is None:
                    self._learn(message, receipt)
                    stale.append(message)
                else:
                    outcomes[message.id] = outcome
        return stale

    def _sealed(self, messages, outcomes):
        """Each message with its item of a request, without those that cannot be sealed."""
        unknown = {message.recipient for message in messages} - self._known.keys()
        if unknown:
            self._known.update(self._gateway.devices_of(unknown))
        without = {message.recipient for message in messages} - self._known.keys()
        existing = self._gateway.existing(without) if without else set()
        for message in messages:
            if message.recipient in without:
                outcomes[message.id] = NO_DEVICE if message.recipient in existing else GONE
                continue
            try:
                yield message, self._item(message)
            except EnvelopeError as error:
                outcomes[message.id] = f"failed: {error}"

    def _item(self, message):
        devices = self._known[message.recipient]
        conversation = message.conversation or contact_conversation_id(
            self._keystore.user, message.recipient
        )
        return OutgoingMessage(
            conversation_id=conversation,
            recipient_id=message.recipient,
            message_id=message.id,
            category="ENCRYPTED_TEXT",
            data_base64=write_bytes(seal(message.text.encode(), self._keystore.key, devices)),
            checksum=session_checksum(device.session for device in devices),
        )

    def _learn(self, message, receipt):
        before = self._known[message.recipient]
        after = [device(session) for session in receipt.sessions]
        self._known[message.recipient] = after
        self._on_refresh(message, before, after)


def _outcome(receipt):
    """What a receipt means; `None` when the list was old and the receipt has the fresh one."""
    word = receipt.outcome
    if receipt.state == "SUCCESS":
        return DELIVERED
    if word == "recipient_gone":
        return GONE
    if word == "deferred":
        return f"deferred: try again after {receipt.retry_after or 60} s"
    if word == "stale_sessions":
        # Everybody signed out in between; they may come back.
        return None if receipt.sessions else NO_DEVICE
    if receipt.error and receipt.error.extra and receipt.error.extra.reason == "message_id_used":
        # An earlier run sealed this message, and lost the answer.
        return DELIVERED
    # A word of the future is never read as "gone", which makes bots stop for ever.
    return f"rejected: {receipt.error.description if receipt.error else 'without a reason'}"


def _batches(items):
    """Lists of items that fit into one request each."""
    batch, size = [], 0
    for message, item in items:
        length = len(item.data_base64)
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((message, item))
        size += length
    if batch:
        yield batch
