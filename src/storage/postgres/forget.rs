//! Forgetting message ids by time.
