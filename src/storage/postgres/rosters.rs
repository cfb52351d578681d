//! The live sessions of accounts.
