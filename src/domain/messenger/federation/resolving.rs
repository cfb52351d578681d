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
    #[serde(default)]
    signs_bodies: bool,
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
        let listing = match peer.key {
            Some(key) => Listing { api_url: peer.api_url.clone(), key, signs_bodies: false },
            None => self.ask_who_it_is(id, &peer.api_url).await?,
        };
        self.note(id, listing).await
    }

    async fn ask_who_it_is(&self, id: &NodeId, api_url: &str) -> Result<Listing, NodeError> {
        let answer = self.neighbours.ask(id, api_url, NodeRequest::Info).await?;
        let info: Info = serde_json::from_slice(&answer.body).map_err(|_| NodeError::Malformed)?;
        if answer.status != 200 || NodeId::parse(&info.node_id).as_ref() != Some(id) {
            return Err(NodeError::Malformed);
        }
        let key = VerifyingKey::from_base64(&info.public_key_b64);
        let key = key.map_err(|_| NodeError::Malformed)?;
        Ok(Listing { api_url: api_url.to_owned(), key, signs_bodies: info.signs_bodies })
    }

    /// Whether a gateway says that it signs bodies: nobody can pass on the signature of its heads in
    /// its name then, even where it never signed one. One that cannot be asked is believed to be
    /// one of HushNet's own nodes, which do not.
    async fn signs_bodies(&self, id: &NodeId, listing: &Listing) -> bool {
        listing.signs_bodies
            || match self.ask_who_it_is(id, &listing.api_url).await {
                Ok(said) => said.key == listing.key && said.signs_bodies,
                Err(_) => false,
            }
    }

    /// Whether a gateway has to sign the bodies of its requests.
    #[must_use]
    pub fn has_to_sign_bodies(&self, node: &KnownNode) -> bool {
        let peer = self.settings.peers.get(&node.id);
        node.is_strong
            || self.settings.require_body_signatures
            || peer.is_some_and(|peer| peer.requires_body_signatures)
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
        let expected = configured.or(kept.as_ref().map(|kept| kept.key));
        if expected.is_some_and(|key| key != listing.key) {
            tracing::warn!(node = %id, "the registry names another key for a gateway than is on file");
            return Err(NodeError::Malformed);
        }
        let is_strong = kept.is_some_and(|kept| kept.is_strong);
        self.note(id, Listing { signs_bodies: listing.signs_bodies || is_strong, ..listing }).await
    }

    async fn note(&self, id: &NodeId, listing: Listing) -> Result<KnownNode, NodeError> {
        let gateway = &self.messenger.gateway;
        let is_strong = self.signs_bodies(id, &listing).await;
        let Listing { api_url, key, .. } = listing;
        let looked_up_at = gateway.clock.now();
        let node = KnownNode { id: id.clone(), api_url, key, is_strong, looked_up_at };
        let noted = gateway.store.note_node(node).await?;
        // Somebody may have been there first, with another key.
        if noted.key == key { Ok(noted) } else { Err(NodeError::Malformed) }
    }
}
