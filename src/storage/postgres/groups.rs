//! Making and changing groups: each is one transaction, with what is said about it.
