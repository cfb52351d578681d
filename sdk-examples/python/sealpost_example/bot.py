"""All of it in one hand, for programs of a few lines: a bot, or a person's device."""

from collections import deque

from .gateway import Gateway
from .ids import id_because_of
from .keys import Keystore
from .receiving import Inbox
from .sending import Message, Sender

# What may become a delivery when it is tried again.
MAY_PASS = ("deferred", "still", "unknown")


class Bot:
    """Sends, answers and listens as the account of a keystore."""

    def __init__(self, keystore):
        keystore = Keystore.read(keystore)
        gateway = Gateway(keystore)
        self.user = keystore.user
        self._sender = Sender(keystore, gateway)
        self._inbox = Inbox(keystore, gateway)
        self._come = deque()

    def send(self, user, text):
        """Sends a text to all devices of an account; says what became of it."""
        return self._outcome(Message(user, text))

    def reply(self, incoming, text):
        """Answers where the text came from. An error where the answer may be delivered later: the
        handler that lets it pass gets the text again.
        """
        # With the id of its cause, an answer to a text that comes again is not sent twice.
        because = id_because_of(incoming.id, "reply")
        outcome = self._outcome(Message(incoming.sender, text, because, incoming.conversation))
        if outcome.startswith(MAY_PASS):
            raise RuntimeError(outcome)
        return outcome

    def run(self, handle, on_ready=lambda: print("ready", flush=True)):
        """Calls `handle` for each text, for ever; what it returns from is acknowledged."""
        self._inbox.listen(handle, on_ready)

    def receive(self):
        """The next text. It is acknowledged, and so are those that came together with it."""
        if not self._come:
            self._inbox.listen(self._come.append, until=lambda: self._come)
        return self._come.popleft()

    def _outcome(self, message):
        return self._sender.send([message])[message.id]
