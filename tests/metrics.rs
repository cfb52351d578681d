//! What the gateway counts about itself, read off its `/metrics`.

mod counting;
mod dashboard;
mod places;
pub mod text;
mod waiting;
