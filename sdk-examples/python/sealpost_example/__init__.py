"""A bot's side of Sealpost in Python: keys, envelopes, and sending until it has arrived."""
