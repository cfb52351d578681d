//! Members of other gateways: whoever writes to one is there as the member of a gateway that speaks
//! for it, and what a member here writes to one is brought there.

use std::sync::Arc;

use super::Messenger;
use super::member::{Member, MemberDevice};
use super::node::Address;
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, SessionId};

/// The rules between gateways.
pub struct Federation {
    /// The rules of members.
    pub messenger: Arc<Messenger>,
}

/// An introduction for a device of another gateway. The texts are their sender's, handed on as they
/// are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingIntroduction {
    /// The device that it is for, by its id here.
    pub to: SessionId,
    /// The ephemeral key.
    pub ephemeral_key: String,
    /// The sender's own agreement key.
    pub sender_key: String,
    /// The recipient's one-time prekey that was used; empty for none.
    pub one_time_key: String,
    /// The first message.
    pub ciphertext: String,
}

/// A message for devices of another gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The sender's id for it.
    pub logical: String,
    /// The chat here that it belongs to, if the sender has one.
    pub chat: Option<ConversationId>,
    /// One part for each device.
    pub parts: Vec<OutgoingPart>,
}

/// What one device gets of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingPart {
    /// The device, by its id here.
    pub to: SessionId,
    /// The header, JSON, byte for byte as it was written.
    pub header: String,
    /// The ciphertext.
    pub ciphertext: String,
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
    /// It cannot be asked now.
    #[error("failed to reach target node")]
    Unreachable,
    /// It does not want to.
    #[error("peer returned error: {status}")]
    Refused {
        /// Its status.
        status: u16,
    },
    /// A mistake of the caller's or of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Federation {
    /// Whom an address names, if that is somebody of another gateway: one without an `@`, or with
    /// this gateway's own name, is ignored.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`field`) when it is no address.
    pub fn elsewhere(
        &self,
        field: &'static str,
        address: Option<&str>,
    ) -> Result<Option<Address>, Fault> {
        let Some(address) = address else { return Ok(None) };
        Address::parse(field, address)
    }

    /// Brings introductions to another gateway, all of them or none.
    ///
    /// # Errors
    /// When it does not take them.
    pub async fn forward_introductions(
        &self,
        _from: (&Member, &MemberDevice),
        _to: &Address,
        _introductions: Vec<OutgoingIntroduction>,
    ) -> Result<(), NodeError> {
        Err(NodeError::NotFound)
    }

    /// Takes a message for another gateway: it is on disk before this returns, and is brought there
    /// as soon as that can be asked.
    ///
    /// # Errors
    /// When nobody knows that gateway, it is blocked, or too much waits for it.
    pub async fn forward_message(
        &self,
        _from: (&Member, &MemberDevice),
        _to: &Address,
        _message: OutgoingMessage,
    ) -> Result<(), NodeError> {
        Err(NodeError::NotFound)
    }
}
