//! Sealpost: a self-hosted gateway for end-to-end encrypted bot messages.

pub mod admin;
pub mod app;
pub mod bus;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod demo;
pub mod dialect;
pub mod domain;
pub mod http;
pub mod storage;
pub mod telemetry;

pub use sealpost_sdk as sdk;

#[cfg(not(unix))]
compile_error!("sealpost runs on Unix: it locks its data and talks to itself by Unix means");
