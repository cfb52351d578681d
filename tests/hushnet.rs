//! What HushNet's clients see of the gateway.

mod acknowledging;
mod chats;
mod federation;
mod groups;
mod introductions;
mod line;
mod load;
mod messages;
mod mounting;
mod pending;
mod people;
mod socket_guests;
mod sockets;
