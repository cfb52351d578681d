//! What concerns all that is kept passes through: none of it is remembered.

use std::time::Duration;

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::ports::{Backlog, Load, Soundness, Statistics, Store};

#[async_trait]
impl Store for CachedStore {
    async fn ping(&self) -> Result<(), Fault> {
        self.inner.ping().await
    }

    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.inner.setting_or(name, fresh).await
    }

    async fn statistics(&self) -> Result<Statistics, Fault> {
        self.inner.statistics().await
    }

    async fn backlog(&self, most: u32) -> Result<Backlog, Fault> {
        self.inner.backlog(most).await
    }

    fn load(&self) -> Load {
        self.inner.load()
    }

    async fn check(&self, patience: Duration) -> Result<Soundness, Fault> {
        self.inner.check(patience).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
