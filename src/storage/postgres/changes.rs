//! Who changed since.
