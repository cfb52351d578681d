//! Conversations and who takes part.
