//! Behaviour, seen from outside: one binary, one module for each part.

mod admin;
mod architecture;
mod blaze;
mod cli;
mod clients;
mod documents;
mod dropboxes;
mod durability;
mod examples;
mod footprint;
mod harness;
mod hushnet;
mod identity_numbers;
mod interop;
mod keyservice;
mod logs;
mod malformed;
mod metrics;
mod mixin;
mod node_sdk;
mod openapi;
mod outside;
mod program;
mod schema_parity;
mod sdk;
mod simulation;
mod sockets;
#[cfg(feature = "otel")]
mod spans;
mod stale_cache;
mod stop;
mod storage;
mod textsecure;
mod tls;
mod try_it;
mod walkthrough;
