//! Where everything is kept.
//!
//! [`open`] gives the store that the configuration describes: a database on disk
//! ([`SqliteStore`]) or on a server ([`PostgresStore`]) inside a cache ([`CachedStore`]).
//! [`MemoryStore`] does the same without a
//! disk, for tests of the rules. What a store has to do is written down in [`crate::domain::ports`]
//! and held by `conformance`, which every store passes.

mod acceptance;
mod batch;
pub mod blobs;
mod cached;
mod cells;
#[doc(hidden)]
pub mod conformance;
mod dropping;
mod error;
mod filter;
mod gap;
mod introducing;
mod memory;
mod migrations;
mod open;
mod own;
mod packed;
mod pool;
pub mod portable;
mod postgres;
mod records;
mod seating;
mod sqlite;

pub use cached::{CacheConfig, CachedStore};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use open::{Database, OpenError, Progress, StorageConfig, look_at, open};
pub use postgres::{PostgresConfig, PostgresStore};
pub use sqlite::SqliteStore;
#[doc(hidden)]
pub use sqlite::{SeenIds, WriterConnection};
