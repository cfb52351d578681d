//! What HushNet's clients see of the gateway.

mod accounts;
mod acknowledging;
mod again;
mod chats;
mod enrolling;
mod federation;
mod groups;
mod introductions;
mod key_lengths;
mod keys;
mod limits;
mod line;
mod listing;
mod load;
mod messages;
mod mounting;
mod pages;
mod pending;
mod people;
mod signing;
mod socket_guests;
mod sockets;
mod two_gateways;
