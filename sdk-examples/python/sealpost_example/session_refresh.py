"""Shows what happens when somebody's devices change between two texts."""

import sys

from .encoding import read_id
from .gateway import Gateway
from .keys import Keystore
from .sending import Message, Sender


def main(keystore, user):
    user = read_id(user)

    def refreshed(message, before, after):
        print(f"stale: {_count(before)} -> {_count(after)}", flush=True)

    keystore = Keystore.read(keystore)
    sender = Sender(keystore, Gateway(keystore), on_refresh=refreshed)

    def send(text):
        message = Message(user, text)
        print(sender.send([message])[message.id], flush=True)

    send("Before anything has changed")
    print("Sign a device in now, then press Enter.", file=sys.stderr)
    sys.stdin.readline()
    send("After a device has come")


def _count(devices):
    return f"{len(devices)} session{'' if len(devices) == 1 else 's'}"
