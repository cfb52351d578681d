//! Requests that may come again under a key of their caller's.
