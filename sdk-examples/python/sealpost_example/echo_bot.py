"""Answers each text with the same text."""

from .gateway import Gateway
from .ids import id_because_of
from .keys import Keystore
from .receiving import Inbox
from .sending import Message, Sender


def main(keystore):
    keystore = Keystore.read(keystore)
    gateway = Gateway(keystore)
    sender = Sender(keystore, gateway)

    def answer(incoming):
        # With the id of its cause, an answer to a message that comes again is not sent twice.
        reply = Message(
            incoming.sender,
            incoming.text,
            id_because_of(incoming.id, "echo"),
            incoming.conversation,
        )
        outcome = sender.send([reply])[reply.id]
        print(f"{incoming.sender} {outcome}", flush=True)
        if outcome.startswith(("deferred", "still", "unknown")):
            raise RuntimeError(outcome)

    Inbox(keystore, gateway).listen(answer, on_ready=lambda: print("ready", flush=True))
