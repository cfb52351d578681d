//! Sealpost: a self-hosted gateway for end-to-end encrypted bot messages.
//!
//! A tour, in the order in which a message meets the modules:
//!
//! - [`sdk`] is what a bot and the gateway must agree on byte for byte, and the bot's own client.
//! - [`http`] is the part that every protocol shares: the listener, limits, request ids.
//! - [`dialect`] translates one protocol into the rules and back. Begin with
//!   [`dialect::mixin::messages`].
//! - [`domain`] holds the rules. Its heart is [`domain::submit`]: what becomes of a batch.
//! - [`storage`] keeps accounts, sessions and messages; [`bus`] carries hints.
//! - [`delivery`] hands out what waits; [`outside`] asks others to wake phones and to hand codes over.
//! - [`app`] puts it all together; [`config`] and [`telemetry`] are what it is told and what it
//!   tells.
//! - [`admin`] is the operator's API, [`console`] its pages, [`cli`] the command, [`demo`] a story to
//!   watch.
//!
//! Who may import whom is written in `ARCHITECTURE.md` and held by `tests/architecture.rs`.

pub mod admin;
pub mod app;
pub mod bus;
pub mod cli;
pub mod config;
pub mod console;
pub mod delivery;
pub mod demo;
pub mod dialect;
pub mod domain;
pub mod http;
pub mod outside;
pub mod storage;
pub mod telemetry;

pub use sealpost_sdk as sdk;

#[cfg(not(unix))]
compile_error!("sealpost runs on Unix: it locks its data and talks to itself by Unix means");
