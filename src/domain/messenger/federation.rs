//! Members of other gateways: whoever writes from one is there as a member that it speaks for, and
//! what a member here writes to one is brought there.
//!
//! A gateway speaks for addresses that end with its own name and for no others, and devices have
//! other ids here than there ([`ForeignIds`]), so none can pass for somebody who is here.

mod bringing;
mod foreign;
mod forwarding;
mod receiving;
mod resolving;
mod signature;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sealpost_sdk::keys::{SigningKey, VerifyingKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Messenger;
use super::node::{Address, NodeId};
use crate::domain::error::Fault;
use crate::domain::ids::UserId;
use crate::domain::ports::{AskNodeError, Neighbours};

pub use foreign::ForeignIds;
pub use receiving::{ForeignGreeting, ForeignMessage, ForeignSender, Taken};
pub use signature::NodeRequestHead;
pub use wire::Bundle;

/// The rules between gateways.
pub struct Federation {
    /// The rules of members.
    pub messenger: Arc<Messenger>,
    /// Who asks other gateways.
    pub neighbours: Arc<dyn Neighbours>,
    /// What the operator chose.
    pub settings: FederationSettings,
    /// Ids of devices of other gateways.
    pub ids: ForeignIds,
    /// Tells whoever brings letters that there is one.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// What an operator may choose about other gateways.
#[derive(Clone, Debug, Default)]
pub struct FederationSettings {
    /// This gateway among the others; `None` when it has nothing to do with any.
    pub own: Option<OwnNode>,
    /// Gateways that the operator names.
    pub peers: HashMap<NodeId, Peer>,
    /// How long what a registry said is good.
    pub lookup_life: Duration,
    /// Whether all of them have to sign the bodies of their requests.
    pub require_body_signatures: bool,
}

/// This gateway, as others see it.
#[derive(Clone, Debug)]
pub struct OwnNode {
    /// Its name.
    pub id: NodeId,
    /// Where it is asked.
    pub api_url: String,
    /// The key that signs its requests.
    pub key: VerifyingKey,
}

/// A gateway that the operator names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is asked, without a slash at its end; empty to ask the registry.
    pub api_url: String,
    /// Its key; that of the first sight otherwise.
    pub key: Option<VerifyingKey>,
    /// Whether the operator wants nothing to do with it.
    pub is_blocked: bool,
    /// Whether it has to sign the bodies of its requests.
    pub requires_body_signatures: bool,
}

/// The key by which other gateways know this one; nothing of the secret can be told from it.
#[must_use]
pub fn node_key(seed: &[u8; 32]) -> SigningKey {
    SigningKey::from_seed(&derived(seed, "sealpost node 1"))
}

fn derived(seed: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(seed);
    let mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    Zeroizing::new(mac.chain_update(label).finalize().into_bytes().into())
}

/// Why another gateway does not get what it should.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Nobody knows a gateway of that name.
    #[error("target node not found in registry")]
    NotFound,
    /// The operator wants nothing to do with it.
    #[error("target node is blocked")]
    Blocked,
    /// Who knows it cannot be asked now.
    #[error("registry unreachable")]
    RegistryUnreachable,
    /// What is said about it makes no sense, or contradicts what is on file.
    #[error("malformed registry response")]
    Malformed,
    /// It cannot be asked now, or answers nonsense.
    #[error("failed to reach target node")]
    Unreachable,
    /// It does not want to.
    #[error("peer returned error: {status}")]
    Refused {
        /// Its status.
        status: u16,
    },
    /// It was to arrive before now.
    #[error("the time is over")]
    TooLate,
    /// A mistake of the caller's or of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<AskNodeError> for NodeError {
    fn from(_: AskNodeError) -> Self {
        Self::Unreachable
    }
}

impl Federation {
    /// Whom an address names, or who has that id, if that is somebody of another gateway. An address
    /// without an `@`, or with this gateway's own name, is ignored.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`field`) when it is no address.
    pub async fn elsewhere(
        &self,
        field: &'static str,
        address: Option<&str>,
        user: Option<UserId>,
    ) -> Result<Option<Address>, Fault> {
        let address = address.map(|text| Address::parse(field, text)).transpose()?.flatten();
        if let Some(address) = address.filter(|address| !self.is_own(&address.node)) {
            return Ok(Some(address));
        }
        let Some(user) = user else { return Ok(None) };
        let member = self.messenger.gateway.store.member(user).await?;
        Ok(member.and_then(|member| {
            let node = NodeId::parse(member.relay.as_deref()?)?;
            Some(Address { name: member.name.clone(), node })
        }))
    }

    /// The id of whoever an address names, if that is a member of this gateway.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`user`) when nobody here has that name.
    pub async fn named_here(&self, address: Option<&str>) -> Result<Option<UserId>, Fault> {
        let address = address.map(|text| Address::parse("address", text)).transpose()?.flatten();
        match address.filter(|address| self.is_own(&address.node)) {
            Some(address) => Ok(Some(self.local(address.name.as_str()).await?.user)),
            None => Ok(None),
        }
    }

    /// Whether that is this gateway's own name.
    #[must_use]
    pub fn is_own(&self, node: &NodeId) -> bool {
        self.settings.own.as_ref().is_some_and(|own| own.id == *node)
    }

    fn own(&self) -> Result<&OwnNode, NodeError> {
        self.settings.own.as_ref().ok_or(NodeError::NotFound)
    }
}
