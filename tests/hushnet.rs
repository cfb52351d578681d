//! What HushNet's clients see of the gateway.

mod accounts;
mod enrolling;
mod keys;
mod limits;
mod line;
mod load;
mod mounting;
mod signing;
mod socket_guests;
mod sockets;
