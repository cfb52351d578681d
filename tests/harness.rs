//! A gateway of one's own, and people and bots who use it.

pub mod actor;
pub mod app;
pub mod blaze;
pub mod browser;
pub mod client;
pub mod connection;
pub mod contract;
pub mod dropbox;
pub mod entropy;
pub mod group;
pub mod hush;
pub mod log;
pub mod mute;
pub mod newcomer;
pub mod phone;
pub mod pooler;
pub mod postgres;
pub mod proxy;

pub use actor::{Actor, Item, Person};
pub use app::{Answer, TestApp};
pub use newcomer::Newcomer;
pub use phone::Phone;
pub use proxy::LossyProxy;
