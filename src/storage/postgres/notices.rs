//! What the gateway says about a conversation: ordinary messages with empty slots.
