//! Signing up: accounts that people make themselves.
