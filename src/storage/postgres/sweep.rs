//! Dropping payloads that nobody waits for.
