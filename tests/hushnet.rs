//! What HushNet's clients see of the gateway.

mod accounts;
mod enrolling;
mod introductions;
mod keys;
mod limits;
mod line;
mod load;
mod messages;
mod mounting;
mod people;
mod signing;
mod socket_guests;
mod sockets;
