//! What HushNet's clients see of the gateway.

mod accounts;
mod acknowledging;
mod chats;
mod descriptors;
mod enrolling;
mod federation;
mod groups;
mod introductions;
mod keys;
mod limits;
mod line;
mod load;
mod messages;
mod mounting;
mod pending;
mod people;
mod running;
mod signing;
mod socket_guests;
mod sockets;
