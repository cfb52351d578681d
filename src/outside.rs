//! What the gateway asks of the world: to hand codes over, and to wake phones.
//!
//! Everything that leaves goes through one [`client`], or through [`mail`], which ask no address that
//! the operator did not mean to be asked ([`reach`]), and have an end to size, time and number.
//! [`codes`] and [`push`] are what the rules of phones know of it.

pub mod client;
pub mod codes;
#[cfg(feature = "otel")]
pub mod collector;
pub mod mail;
pub mod nodes;
pub mod push;
pub mod reach;
pub mod relays;
pub mod signed;
