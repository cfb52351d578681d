//! The rules of the gateway: who may send what to whom, and what happens to it then.
//!
//! Nothing here knows HTTP or SQL. What the rules need from outside stands in [`ports`]; a test
//! hands them a store in memory and a clock that it holds. Begin with [`submit`].

pub mod account;
pub mod acknowledge;
pub mod attachment;
pub mod audience;
pub mod changes;
pub mod clock;
pub mod conversation;
pub mod dropbox;
pub mod error;
pub mod gateway;
pub mod guest;
pub mod idempotency;
pub mod ids;
pub mod inbox;
pub mod limits;
pub mod line;
pub mod measures;
pub mod messenger;
pub mod password;
pub mod phone;
pub mod ports;
pub mod prekeys;
pub mod reader;
pub mod relationship;
pub mod roster;
pub mod session;
pub mod sign_up;
pub mod submit;
pub mod top_up;
pub mod trace;
pub mod vault;

pub use error::Fault;
pub use gateway::{Gateway, Limits};
