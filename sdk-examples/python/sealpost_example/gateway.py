"""The gateway's operations, each tried again where it failed in a way that may pass.

The operations themselves are generated from the gateway's OpenAPI document (`sealpost_api`).
"""

import random
import time

import httpx
from sealpost_api import Client
from sealpost_api.api.inbox import acknowledge_messages, read_inbox
from sealpost_api.api.messages import send_encrypted_messages
from sealpost_api.api.sessions import fetch_sessions
from sealpost_api.api.users import fetch_users
from sealpost_api.errors import UnexpectedStatus
from sealpost_api.models import Acknowledgement, AcknowledgementStatus, ErrorBody

from .encoding import read_key
from .envelope import Device
from .errors import GatewayError
from .token import SignedRequests

ATTEMPTS = 6
LONGEST_PAUSE = 10
LONGEST_RETRY_AFTER = 60
# How long the gateway may take to answer: a long poll's minute, and some more.
TIMEOUT = 90
# As many accounts as one request may name.
PER_REQUEST = 500
MAY_PASS = {429, 500, 502, 503, 504}


class Gateway:
    """Talks to the gateway as the bot of a keystore."""

    def __init__(self, keystore):
        signed = {"auth": SignedRequests(keystore)}
        self._client = Client(
            base_url=keystore.url,
            timeout=httpx.Timeout(TIMEOUT),
            httpx_args=signed,
            raise_on_unexpected_status=True,
        )

    def devices_of(self, users):
        """The devices of these accounts, by account; without those that have none."""
        found = {}
        for some in _chunks(list(users)):
            for session in self._call(fetch_sessions, body=some):
                found.setdefault(session.user_id, []).append(device(session))
        return found

    def existing(self, users):
        """Which of these accounts exist."""
        chunks = _chunks(list(users))
        return {user.user_id for some in chunks for user in self._call(fetch_users, body=some)}

    def post(self, messages):
        """Sends up to 100 messages; gives a receipt for each, in order."""
        return self._call(send_encrypted_messages, body=messages)

    def read_inbox(self, wait, limit):
        """What waits for this session, or comes within so many seconds."""
        return self._call(read_inbox, wait=wait, limit=limit)

    def acknowledge(self, message_ids):
        """Says that up to 100 messages were taken care of."""
        delivered = AcknowledgementStatus.DELIVERED
        self._call(acknowledge_messages, body=[Acknowledgement(i, delivered) for i in message_ids])

    def _call(self, operation, **arguments):
        """`data` of the answer.

        Every request here may be repeated: what was sent before is a duplicate to the gateway, as
        long as it is the same to the last byte, which it is.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = operation.sync_detailed(client=self._client, **arguments)
            except httpx.TransportError as error:
                failure, may_pass, asked = f"no answer: {error!r}", True, 0
            except UnexpectedStatus as error:
                # No gateway has answered, but a proxy in front of it.
                failure, asked = f"status {error.status_code}", 0
                may_pass = error.status_code in MAY_PASS
            else:
                if not isinstance(response.parsed, ErrorBody):
                    return response.parsed.data
                refusal = response.parsed.error
                failure, may_pass = (
                    f"{refusal.status} {refusal.description}",
                    refusal.status in MAY_PASS,
                )
                asked = _seconds(response.headers.get("Retry-After", ""))
            if not may_pass or attempt == ATTEMPTS or asked > LONGEST_RETRY_AFTER:
                raise GatewayError(failure, may_pass)
            time.sleep(asked + backoff(attempt))


def device(session):
    """A session as the gateway describes it. Nothing is sealed for one whose key is none."""
    try:
        key = read_key(session.public_key)
    except ValueError:
        key = b""
    return Device(session.session_id, key)


def backoff(failures):
    """A growing pause, drawn evenly: those who failed together do not come back together."""
    return random.uniform(0, min(LONGEST_PAUSE, 0.2 * 2**failures))


def _seconds(text):
    return int(text) if text.isascii() and text.isdigit() else 0


def _chunks(users):
    return [users[at : at + PER_REQUEST] for at in range(0, len(users), PER_REQUEST)]
