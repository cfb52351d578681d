//! Every store does what a store must do; and what only those on disk and on a server can show.

mod durability;
mod fresh;
mod portable;
mod postgres;
mod postgres_eras;
mod postgres_members;
mod postgres_partitions;
mod postgres_races;
mod postgres_replaced;
mod postgres_settings;
mod postgres_trouble;
mod postgres_writers;
mod trouble;
mod upkeep;

use std::cell::Cell;
use std::sync::Arc;

use sealpost::domain::ports::Store;
use sealpost::storage::{
    CacheConfig, CachedStore, MemoryStore, SqliteStore, StorageConfig, conformance, open,
};
use tempfile::TempDir;

/// Databases that are gone with the test.
struct Folder {
    folder: TempDir,
    databases: Cell<u32>,
}

impl Folder {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), databases: Cell::new(0) }
    }

    /// The settings of a database that does not exist yet.
    fn config(&self) -> StorageConfig {
        self.databases.set(self.databases.get() + 1);
        let name = format!("{}.db", self.databases.get());
        StorageConfig::at(self.folder.path().join(name))
    }

    async fn sqlite(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.config()).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_does_what_a_store_must_do() {
    conformance::run_all(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_disk_does_what_a_store_must_do() {
    let folder = Folder::new();
    conformance::run_all(async || folder.sqlite().await as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_settles_all_the_time_does_what_a_store_must_do() {
    let folder = Folder::new();
    for fresh_rows in [0, 2] {
        conformance::run_all(async || {
            let config = StorageConfig { fresh_rows, ..folder.config() };
            Arc::new(SqliteStore::open(&config).await.unwrap()) as Arc<dyn Store>
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_behind_a_cache_does_what_a_store_must_do() {
    let folder = Folder::new();
    conformance::run_all(async || open(&folder.config().into()).await.unwrap()).await;
    let memory = || Arc::new(MemoryStore::new());
    let cached =
        async || Arc::new(CachedStore::new(memory(), &CacheConfig::default())) as Arc<dyn Store>;
    conformance::run_all(cached).await;
}
