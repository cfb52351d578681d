//! Sealpost: a self-hosted gateway for end-to-end encrypted bot messages.

pub mod admin;
pub mod bus;
pub mod config;
pub mod delivery;
pub mod dialect;
pub mod domain;
pub mod http;
pub mod storage;
pub mod telemetry;

pub use sealpost_sdk as sdk;
