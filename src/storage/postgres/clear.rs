//! Removing what waited for sessions that have ended.
