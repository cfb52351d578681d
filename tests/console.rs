//! The operator's console: who may come in, what it shows, what its switch does.

mod figures;
mod login;
mod oversight;
mod page;
mod settings;
mod switch;
mod world;
