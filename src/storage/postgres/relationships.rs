//! What accounts are to each other.
