"""Speaks with a gateway through what openapi-python-client makes of openapi.yaml, and nothing else.

tests/clients.rs starts it and says what the lines on standard input and output mean.
"""

import json
import uuid

from sealpost_client import AuthenticatedClient
from sealpost_client.api.inbox import acknowledge_messages, read_inbox
from sealpost_client.api.messages import send_encrypted_messages
from sealpost_client.api.sessions import fetch_sessions
from sealpost_client.api.users import read_me, read_user
from sealpost_client.models import Acknowledgement, AcknowledgementStatus, ErrorBody, OutgoingMessage


def ask(question):
    print(json.dumps(question), flush=True)
    return json.loads(input())


def say(text):
    print(json.dumps({"say": text}), flush=True)


def good(answer):
    """What a call found, or an end to it all. An error may come with status 202."""
    if answer is None or isinstance(answer, ErrorBody):
        raise RuntimeError(f"not expected: {answer}")
    return answer.data


def outcomes(receipts):
    each = (f"{it.state.value} {it.outcome.value} {len(it.sessions)}" for it in receipts)
    return ", ".join(each)


def main():
    job = ask({"begin": "python"})
    client = AuthenticatedClient(
        base_url=job["url"], token=job["token"], raise_on_unexpected_status=True
    )
    say(good(read_me.sync(client=client)).full_name)

    users = [uuid.UUID(person["user"]) for person in job["people"]]
    sessions = good(fetch_sessions.sync(client=client, body=users))
    say(f"{len(sessions)} sessions")

    # From here on the list of the first is an old one.
    ask({"sign_in": str(users[0])})

    def message(index, known, message_id):
        sealed = ask({"seal": [session.to_dict() for session in known]})
        return OutgoingMessage(
            conversation_id=uuid.UUID(job["people"][index]["conversation"]),
            recipient_id=users[index],
            message_id=message_id,
            category="ENCRYPTED_TEXT",
            data_base64=sealed["data_base64"],
            checksum=sealed["checksum"],
        )

    ids = [uuid.uuid4() for _ in users]
    batch = [
        message(index, [session for session in sessions if session.user_id == user], ids[index])
        for index, user in enumerate(users)
    ]
    receipts = good(send_encrypted_messages.sync(client=client, body=batch))
    say(outcomes(receipts))

    again = message(0, receipts[0].sessions, ids[0])
    say(outcomes(good(send_encrypted_messages.sync(client=client, body=[again]))))

    [received] = good(read_inbox.sync(client=client, wait=30))
    say(ask({"open": received.data_base64})["text"])
    taken = Acknowledgement(message_id=received.message_id, status=AcknowledgementStatus.READ)
    good(acknowledge_messages.sync(client=client, body=[taken]))
    say(f"{len(good(read_inbox.sync(client=client)))} left")

    nobody = read_user.sync_detailed(uuid.uuid4(), client=client)
    say(f"{nobody.status_code.value}: {nobody.parsed.error.status}")


main()
