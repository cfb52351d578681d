//! Sealpost: a self-hosted gateway for end-to-end encrypted bot messages.

pub mod bus;
pub mod delivery;
pub mod domain;
pub mod storage;

pub use sealpost_sdk as sdk;
