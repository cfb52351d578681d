"""Plays a device with the PyPI package `mixinsdk`, exactly as a bot built on it would.

Reads one JSON object from standard input and writes one to standard output.
"""

import json
import sys

from mixinsdk.clients._message import decrypt_message_data
from mixinsdk.clients._sign import sign_authentication_token
from mixinsdk.utils import get_conversation_id_of_two_users


def main():
    job = json.load(sys.stdin)
    answer = {
        # `data` is the member of a message that the package hands to this function, in standard
        # base64. It looks for its session in the list, takes the slot, and decrypts the text.
        # It does not check the authentication tag; plain.py does.
        "opened": [
            decrypt_message_data(
                case["data"], case["session_id"], bytes.fromhex(case["private_key"])
            )
            for case in job["sealed"]
        ],
        "conversation_ids": [
            get_conversation_id_of_two_users(one, other) for one, other in job["pairs"]
        ],
        "tokens": [
            sign_authentication_token(
                request["user_id"],
                request["session_id"],
                bytes.fromhex(request["private_key"]),
                "Ed25519",
                request["method"],
                request["path"],
                request["body"],
            )
            for request in job["requests"]
        ],
    }
    json.dump(answer, sys.stdout)


main()
