//! What HushNet's clients see of the gateway.

mod line;
mod load;
mod mounting;
mod people;
mod socket_guests;
mod sockets;
