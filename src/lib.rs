//! Sealpost: a self-hosted gateway for end-to-end encrypted bot messages.

pub mod delivery;
pub mod domain;

pub use sealpost_sdk as sdk;
