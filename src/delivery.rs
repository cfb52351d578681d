//! From an inbox to a reader: who is listening on this node, and how what waits reaches them.

pub mod changes;
pub mod hub;
pub mod poll;
