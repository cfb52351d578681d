//! The `sealpost` command, as a black box.

mod admin;
mod broadcast;
mod commands;
mod completions;
mod doctor;
mod hints;
mod inbox;
mod json;
mod json_log;
mod moving;
mod ready;
mod send;
mod serve;
mod usage;
mod world;
