//! The protocols that the gateway speaks. Each folder translates one of them into the rules of
//! [`crate::domain`] and back; deleting a folder and its line here removes a protocol.

pub mod hushnet;
pub mod keyservice;
pub mod mixin;
pub mod textsecure;
