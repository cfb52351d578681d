//! Messages and who waits for them.
