//! Behaviour, seen from outside: one binary, one module for each part.

mod admin;
mod architecture;
mod blaze;
mod cli;
mod documents;
mod durability;
mod footprint;
mod harness;
mod identity_numbers;
mod interop;
mod logs;
mod malformed;
mod mixin;
mod node_sdk;
mod openapi;
mod outside;
mod program;
mod schema_parity;
mod sdk;
mod simulation;
mod sockets;
mod stale_cache;
mod stop;
mod storage;
mod textsecure;
mod walkthrough;
