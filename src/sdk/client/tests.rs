//! The whole client against a gateway that a test holds in its hands.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod accounts;
mod gateway;
mod receiving;
mod repeating;
mod sending;
mod stand_in;
mod world;
