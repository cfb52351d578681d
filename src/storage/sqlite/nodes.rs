//! What is known of other gateways. What waits for them is in [`letters`].

pub(super) mod letters;

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::messenger::node::NodeId;
use crate::domain::ports::{KnownNode, Nodes};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl Nodes for SqliteStore {
    async fn node(&self, id: &NodeId) -> Result<Option<KnownNode>, Fault> {
        let row = query(NODE).bind(id.as_str()).fetch_optional(&self.readers).await;
        let row = row.map_err(during("reading a gateway"))?;
        Ok(row.as_ref().map(records::known_node).transpose()?)
    }

    async fn note_node(&self, node: KnownNode) -> Result<KnownNode, Fault> {
        self.change(node, |node, connection| Box::pin(note(node, connection))).await
    }

    async fn note_strong_node(&self, id: &NodeId) -> Result<(), Fault> {
        self.change(id.clone(), |id, connection| Box::pin(note_strong(id, connection))).await
    }

    async fn claim_nonce(
        &self,
        node: &NodeId,
        nonce: String,
        ends_at: Timestamp,
    ) -> Result<bool, Fault> {
        let claim = Claim { node: node.clone(), nonce, ends_at };
        self.change(claim, |it, connection| Box::pin(claim_one(it, connection))).await
    }

    async fn forget_nonces(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let old = query(OLD_NONCE).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for numbers of gateways"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting numbers of gateways", now, limit).await
    }
}

pub(super) const NODE: &str =
    "SELECT id, api_url, public_key, is_strong, looked_up_at FROM nodes WHERE id = ?1";

pub(super) const NOTE: &str = "
    INSERT INTO nodes (id, api_url, public_key, is_strong, looked_up_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET api_url = excluded.api_url, looked_up_at = excluded.looked_up_at,
        is_strong = max(nodes.is_strong, excluded.is_strong)
    RETURNING id, api_url, public_key, is_strong, looked_up_at";

async fn note(
    node: &KnownNode,
    connection: &mut SqliteConnection,
) -> Result<Result<KnownNode, Fault>, StoreError> {
    let row = query(NOTE)
        .bind(node.id.as_str())
        .bind(node.api_url.as_str())
        .bind(node.key.to_bytes().as_slice())
        .bind(i64::from(node.is_strong))
        .bind(node.looked_up_at.as_micros())
        .fetch_one(connection)
        .await
        .map_err(during("noting a gateway"))?;
    Ok(Ok(records::known_node(&row)?))
}

pub(super) const STRONG: &str = "UPDATE nodes SET is_strong = 1 WHERE id = ?1";

async fn note_strong(
    id: &NodeId,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let noted = query(STRONG).bind(id.as_str()).execute(connection).await;
    noted.map_err(during("noting how a gateway signs"))?;
    Ok(Ok(()))
}

/// A number that a gateway used.
struct Claim {
    node: NodeId,
    nonce: String,
    ends_at: Timestamp,
}

pub(super) const CLAIM: &str = "
    INSERT INTO node_nonces (node, nonce, ends_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

async fn claim_one(
    claim: &Claim,
    connection: &mut SqliteConnection,
) -> Result<Result<bool, Fault>, StoreError> {
    let claimed = query(CLAIM)
        .bind(claim.node.as_str())
        .bind(claim.nonce.as_str())
        .bind(claim.ends_at.as_micros())
        .execute(connection)
        .await
        .map_err(during("claiming a number of a gateway"))?;
    Ok(Ok(claimed.rows_affected() == 1))
}

pub(super) const OLD_NONCE: &str = "SELECT nonce FROM node_nonces WHERE ends_at <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM node_nonces WHERE (node, nonce) IN (
        SELECT node, nonce FROM node_nonces WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2
    )";
