//! The socket, as a client meets it.

mod acknowledging;
mod delivery;
mod endings;
mod handshake;
mod requests;
