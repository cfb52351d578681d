//! Values that belong to the whole gateway.

use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::value;
use crate::domain::Fault;
use crate::storage::error::{StoreError, during};

const READ: &str = "SELECT value FROM settings WHERE name = $1";

const KEEP: &str = "
    INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

impl PostgresStore {
    /// What is kept under a name, or `fresh`, which is then.
    pub(super) async fn kept_or(
        &self,
        name: &'static str,
        fresh: Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        if let Some(kept) = read(name, &mut self.reader().await?).await? {
            return Ok(kept);
        }
        self.write((name, fresh), |input, link| Box::pin(keep(input, link))).await
    }
}

async fn read(name: &'static str, link: &mut Link<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    let row = query(READ).bind(name).fetch_optional(link).await;
    row.map_err(during("reading a setting"))?.map(|row| value(&row, "value")).transpose()
}

/// Of several gateways that begin at once, all get the value of the one whose row is kept.
async fn keep(
    (name, fresh): &(&'static str, Vec<u8>),
    link: &mut Link<'_>,
) -> Result<Result<Vec<u8>, Fault>, StoreError> {
    let insert = query(KEEP).bind(*name).bind(fresh.as_slice()).execute(&mut *link);
    insert.await.map_err(during("keeping a setting"))?;
    let kept = read(name, link).await?;
    Ok(Ok(kept.ok_or(StoreError::Corrupt { column: "settings.value" })?))
}
