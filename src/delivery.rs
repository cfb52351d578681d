//! From an inbox to a reader: who is listening on this node, and how what waits reaches them.
//!
//! The [`pump`] is the one way out of an inbox: wake, lease, hand on, wait for acknowledgements.
//! A long poll takes one turn of it, a socket keeps it running.

pub mod changes;
mod held;
pub mod hub;
pub mod notifier;
pub mod poll;
pub mod pump;

pub use held::Window;
