"""`python -m sealpost_example COMMAND ARGUMENTS`: the commands that each language's example has."""

import sys
from importlib import import_module

from .errors import GatewayError

# The commands, each in the module of its name, and what they take.
COMMANDS = {
    "vectors": ["DIR"],
    "echo_bot": ["KEYSTORE"],
    "broadcast": ["KEYSTORE", "PEOPLE", "TEXT"],
    "session_refresh": ["KEYSTORE", "USER"],
}


def usage():
    lines = [f"  {name} {' '.join(takes)}" for name, takes in COMMANDS.items()]
    return "usage: python -m sealpost_example COMMAND ARGUMENTS\n\n" + "\n".join(lines)


def main(arguments):
    name, *given = arguments or [""]
    if name not in COMMANDS or len(given) != len(COMMANDS[name]):
        print(usage(), file=sys.stderr)
        sys.exit(2)
    try:
        import_module(f".{name}", __package__).main(*given)
    except GatewayError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
