//! The ids alone, on somebody else's connection: for the bench that compares ways to keep them.

use super::{SeenWriter, Sizes};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::StoreError;
use crate::storage::sqlite::connection::WriterConnection;

/// Accepted ids, as the store on SQLite keeps them; used by `benches/layouts.rs` only.
pub struct SeenIds(SeenWriter);

impl SeenIds {
    /// Reads what is on disk. The store's tables have to be there. So many of the newest ids become
    /// a run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        connection: &mut WriterConnection,
        newest: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self(SeenWriter::open(connection, Sizes { newest, ..Sizes::STORE }).await?))
    }

    /// Begins with a transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&mut self, connection: &mut WriterConnection) -> Result<(), StoreError> {
        self.0.begin(connection).await
    }

    /// How many of these ids are known, each with its sender.
    ///
    /// # Errors
    /// When the database fails.
    pub fn look(
        &self,
        connection: &WriterConnection,
        ids: impl Iterator<Item = (i64, [u8; 16])>,
    ) -> Result<usize, StoreError> {
        let ids = ids.map(|(sender, id)| (AccountNumber(sender), MessageId::from_bytes(id)));
        Ok(self.0.digests(connection, ids)?.iter().flatten().count())
    }

    /// Adds ids of messages that were accepted at this time, each with its sender and its digest, and
    /// moves others on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remember(
        &mut self,
        connection: &WriterConnection,
        number: i64,
        at: Timestamp,
        ids: impl Iterator<Item = (i64, [u8; 16], [u8; 16])>,
    ) -> Result<(), StoreError> {
        let ids = ids.map(|(sender, id, digest)| {
            (AccountNumber(sender), MessageId::from_bytes(id), MessageDigest(digest))
        });
        self.0.append(connection, number, at, ids)?;
        self.0.step(connection)
    }

    /// The transaction was committed.
    pub fn committed(&mut self) {
        self.0.committed();
    }

    /// How many runs there are of each level, the shortest first.
    #[must_use]
    pub fn runs(&self) -> Vec<usize> {
        let records = || self.0.pending.ledger.records();
        let levels = 0..=records().map(|it| it.level).max().unwrap_or(0);
        levels.map(|level| records().filter(|it| it.level == level).count()).collect()
    }
}
