//! Where another gateway is, and by which key it is known: as the operator says, as a registry says,
//! or as the gateway itself says at first sight. A key that was seen once stays.

use sealpost_sdk::keys::VerifyingKey;
use serde::Deserialize;

use super::{Federation, NodeError, Peer};
use crate::domain::messenger::node::NodeId;
use crate::domain::ports::{AskNodeError, KnownNode, Listing, NodeRequest};

/// What a gateway says about itself.
#[derive(Deserialize)]
struct Info {
    node_id: String,
    public_key_b64: String,
}

impl Federation {
    /// What is known of another gateway.
    ///
    /// # Errors
    /// When nobody knows it, it is blocked, or whoever knows it cannot be asked.
    pub async fn resolve(&self, id: &NodeId) -> Result<KnownNode, NodeError> {
        self.own()?;
        let peer = self.settings.peers.get(id);
        if peer.is_some_and(|peer| peer.is_blocked) {
            return Err(NodeError::Blocked);
        }
        let kept = self.messenger.gateway.store.node(id).await?;
        match peer.filter(|peer| !peer.api_url.is_empty()) {
            Some(peer) => self.resolve_named(id, peer, kept).await,
            None => self.resolve_listed(id, peer.and_then(|peer| peer.key), kept).await,
        }
    }

    /// A gateway that the operator names: its key is that of the settings, or of the first sight.
    async fn resolve_named(
        &self,
        id: &NodeId,
        peer: &Peer,
        kept: Option<KnownNode>,
    ) -> Result<KnownNode, NodeError> {
        if let Some(kept) = kept {
            let key = peer.key.unwrap_or(kept.key);
            return Ok(KnownNode { api_url: peer.api_url.clone(), key, ..kept });
        }
        let key = match peer.key {
            Some(key) => key,
            None => self.ask_for_key(id, &peer.api_url).await?,
        };
        self.note(id, Listing { api_url: peer.api_url.clone(), key }).await
    }

    async fn ask_for_key(&self, id: &NodeId, api_url: &str) -> Result<VerifyingKey, NodeError> {
        let answer = self.neighbours.ask(id, api_url, NodeRequest::Info).await?;
        let info: Info = serde_json::from_slice(&answer.body).map_err(|_| NodeError::Malformed)?;
        if answer.status != 200 || info.node_id != id.as_str() {
            return Err(NodeError::Malformed);
        }
        VerifyingKey::from_base64(&info.public_key_b64).map_err(|_| NodeError::Malformed)
    }

    /// A gateway that the registry knows, if what it said is good no longer.
    async fn resolve_listed(
        &self,
        id: &NodeId,
        configured: Option<VerifyingKey>,
        kept: Option<KnownNode>,
    ) -> Result<KnownNode, NodeError> {
        let now = self.messenger.gateway.clock.now();
        let with_key = |node: KnownNode| KnownNode { key: configured.unwrap_or(node.key), ..node };
        if let Some(kept) = &kept
            && now < kept.looked_up_at.plus(self.settings.lookup_life)
        {
            return Ok(with_key(kept.clone()));
        }
        let listing = match (self.neighbours.look_up(id).await, kept.clone()) {
            (Ok(listing), _) => listing,
            // It was there once, and messages need not wait for the registry.
            (Err(AskNodeError::Unreachable), Some(kept)) => return Ok(with_key(kept)),
            (Err(AskNodeError::Unreachable), None) => return Err(NodeError::RegistryUnreachable),
            (Err(AskNodeError::Unknown), _) => return Err(NodeError::NotFound),
            (Err(AskNodeError::Malformed), _) => return Err(NodeError::Malformed),
        };
        let expected = configured.or(kept.map(|kept| kept.key));
        if expected.is_some_and(|key| key != listing.key) {
            tracing::warn!(node = %id, "the registry names another key for a gateway than is on file");
            return Err(NodeError::Malformed);
        }
        self.note(id, listing).await
    }

    async fn note(&self, id: &NodeId, listing: Listing) -> Result<KnownNode, NodeError> {
        let gateway = &self.messenger.gateway;
        let Listing { api_url, key } = listing;
        let looked_up_at = gateway.clock.now();
        let node = KnownNode { id: id.clone(), api_url, key, is_strong: false, looked_up_at };
        let noted = gateway.store.note_node(node).await?;
        // Somebody may have been there first, with another key.
        if noted.key == key { Ok(noted) } else { Err(NodeError::Malformed) }
    }
}
