//! The `sealpost` command, as a black box.

mod commands;
mod doctor;
mod serve;
mod usage;
mod world;
