//! The whole client against a gateway that a test holds in its hands.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod accounts;
mod attachments;
mod conversations;
mod devices;
#[cfg(feature = "dropbox")]
mod dropbox;
mod gateway;
mod listening;
mod receiving;
mod repeating;
mod sending;
mod socket;
mod stand_in;
mod world;
