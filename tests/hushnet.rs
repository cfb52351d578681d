//! What HushNet's clients see of the gateway.

mod acknowledging;
mod chats;
mod groups;
mod introductions;
mod messages;
mod mounting;
mod pending;
mod people;
