//! The connections that write: what they can be asked, and the transaction around a group.
