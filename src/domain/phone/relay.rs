//! Relays: other gateways whose phones can be reached from here, and their directories.

use super::contact::{ListedPhone, RelayContact};
use super::switchboard::Switchboard;
use crate::domain::error::Fault;
use crate::domain::ports::RelayError;

/// The most phones that another gateway is believed to have.
const MOST_PHONES: u64 = 50_000_000;

/// How many contacts are noted in one transaction, so that nobody waits long for it.
const STEP: usize = 1000;

/// How many phones stand on a page of our own directory.
const PAGE: u32 = 10_000;

/// Why a directory was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The other gateway does not answer.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// What it says cannot be kept.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Switchboard {
    /// Reads another gateway's directory and notes who can be reached there; returns how many
    /// phones it told of. What was noted stays when the rest fails.
    ///
    /// # Errors
    /// When that gateway stops answering, or the store fails.
    pub async fn read_directory(&self, relay: &str) -> Result<u64, DirectoryError> {
        let count = self.relays.count_contacts(relay).await?.min(MOST_PHONES);
        let mut read = 0;
        while read < count {
            let page = self.relays.list_contacts(relay, read).await?;
            if page.is_empty() {
                break;
            }
            read += page.len() as u64;
            self.note(relay, &page).await?;
        }
        Ok(read)
    }

    /// Forgets some contacts of gateways that are not known any more: they would stand in the way of
    /// others who list them. Returns whether there may be more.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn forget_strangers(&self, limit: u32) -> Result<bool, Fault> {
        let store = &self.gateway.store;
        let listed = store.listed_relays().await?;
        let Some(stranger) = listed.iter().find(|relay| !self.relays.knows(relay)) else {
            return Ok(false);
        };
        store.forget_contacts(stranger, limit).await?;
        Ok(true)
    }

    async fn note(&self, relay: &str, page: &[RelayContact]) -> Result<(), Fault> {
        for step in page.chunks(STEP) {
            self.gateway.store.merge_contacts(relay, step.to_vec()).await?;
        }
        Ok(())
    }

    /// How many phones have registered here.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn count_phones(&self) -> Result<u64, Fault> {
        self.gateway.store.count_phones().await
    }

    /// A page of them for another gateway, from the one at `offset` on.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn list_phones(&self, offset: u64) -> Result<Vec<ListedPhone>, Fault> {
        self.gateway.store.list_phones(offset, PAGE).await
    }
}
