"""Sends one text to every account in a file, one id a line, and says what became of each."""

import sys

from .encoding import read_id
from .gateway import Gateway
from .keys import Keystore
from .sending import Message, Sender


def main(keystore, people, text):
    with open(people, encoding="utf-8") as file:
        users = [read_id(line.strip()) for line in file if line.strip()]

    def refreshed(message, before, after):
        print(f"{message.recipient} stale: {len(before)} -> {len(after)}", file=sys.stderr)

    keystore = Keystore.read(keystore)
    sender = Sender(keystore, Gateway(keystore), on_refresh=refreshed)
    messages = [Message(user, text) for user in users]
    outcomes = sender.send(messages)
    for message in messages:
        print(message.recipient, outcomes[message.id])
