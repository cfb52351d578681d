//! Rows about other gateways.

use sealpost_sdk::keys::VerifyingKey;

use crate::domain::ids::SessionNumber;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Letter, Line};
use crate::domain::ports::KnownNode;
use crate::storage::cells::{Cells, array, flag, small, time};
use crate::storage::error::StoreError;

/// What is kept of a gateway.
pub(in crate::storage) fn known_node(row: &impl Cells) -> Result<KnownNode, StoreError> {
    let key = VerifyingKey::from_stored_bytes(&array(row, "public_key")?);
    Ok(KnownNode {
        id: node_id(row, "id")?,
        api_url: row.text("api_url")?.to_owned(),
        key: key.map_err(|_| StoreError::Corrupt { column: "nodes.public_key" })?,
        is_strong: flag(row, "is_strong")?,
        looked_up_at: time(row, "looked_up_at")?,
    })
}

/// A letter, with how often the first of its line was brought.
pub(in crate::storage) fn letter(row: &impl Cells) -> Result<Letter, StoreError> {
    Ok(Letter {
        node: node_id(row, "node")?,
        sender: SessionNumber(row.integer("sender")?),
        number: row.integer("number")?,
        logical: row.text("logical")?.to_owned(),
        digest: array(row, "digest")?,
        body: row.blob("body")?.to_vec(),
        attempts: small(row, "attempts")?,
        expires_at: time(row, "expires_at")?,
    })
}

/// Where letters stand.
pub(in crate::storage) fn line(row: &impl Cells) -> Result<Line, StoreError> {
    Ok(Line { sender: SessionNumber(row.integer("sender")?), node: node_id(row, "node")? })
}

fn node_id(row: &impl Cells, column: &'static str) -> Result<NodeId, StoreError> {
    NodeId::parse(row.text(column)?).ok_or(StoreError::Corrupt { column })
}
