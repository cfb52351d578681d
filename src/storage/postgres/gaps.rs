//! Gap markers: the gateway's own messages, which say what is missing from an inbox.
