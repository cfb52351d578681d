"""What ends a command with a sentence in place of a trace."""


class GatewayError(Exception):
    """A request that the gateway refused, or that got no answer: then it may pass."""

    def __init__(self, text, may_pass):
        super().__init__(text)
        self.may_pass = may_pass
