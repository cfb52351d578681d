"""`python -m sealpost_example COMMAND ARGUMENTS`: the commands that each language's example has."""

import sys

from . import broadcast, echo_bot, session_refresh, vectors
from .gateway import GatewayError

COMMANDS = {
    "vectors": (vectors.main, ["DIR"]),
    "echo_bot": (echo_bot.main, ["KEYSTORE"]),
    "broadcast": (broadcast.main, ["KEYSTORE", "PEOPLE", "TEXT"]),
    "session_refresh": (session_refresh.main, ["KEYSTORE", "USER"]),
}


def usage():
    lines = [f"  {name} {' '.join(takes)}" for name, (_, takes) in COMMANDS.items()]
    return "usage: python -m sealpost_example COMMAND ARGUMENTS\n\n" + "\n".join(lines)


def main(arguments):
    name, *given = arguments or [""]
    command, takes = COMMANDS.get(name, (None, []))
    if command is None or len(given) != len(takes):
        sys.exit(usage())
    try:
        command(*given)
    except GatewayError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
