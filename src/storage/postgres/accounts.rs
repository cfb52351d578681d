//! Accounts by their public names.
