//! What the gateway asks of others, against stand-ins that speak as they do.

mod apns;
mod asking;
mod codes;
mod fcm;
pub mod mail;
pub mod stand_in;
mod webpush;
