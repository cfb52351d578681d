//! The `sealpost` command, as a black box.

mod commands;
mod doctor;
mod json_log;
mod ready;
mod serve;
mod usage;
mod world;
