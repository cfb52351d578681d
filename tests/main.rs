//! Behaviour, seen from outside: one binary, one module for each part.

mod admin;
mod cli;
mod harness;
mod mixin;
mod openapi;
mod schema_parity;
mod sdk;
mod stale_cache;
mod storage;
