//! What phones need from other gateways: the prekeys and attachments of those who are there,
//! somebody who takes messages for them, and who they are.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::attachment::AttachmentNumber;
use crate::domain::phone::keys::Wanted;
use crate::domain::phone::{DeviceNumber, PhoneNumber, RelayContact};

/// What another gateway is asked on behalf of a phone that is here.
#[derive(Clone, PartialEq, Eq)]
pub enum RelayRequest {
    /// A prekey of a phone's first device, as the first edition of the protocol writes it.
    FirstKey(PhoneNumber),
    /// Prekeys of a phone's devices, as the second edition writes them.
    Keys(PhoneNumber, Wanted),
    /// The same with signed prekeys.
    SignedKeys(PhoneNumber, Wanted),
    /// Where an attachment can be read.
    Attachment(AttachmentNumber),
    /// To deliver a message to the first device of a phone.
    Message {
        /// The phone.
        to: PhoneNumber,
        /// The envelope in which it arrives.
        envelope: Bytes,
    },
    /// To deliver a message to each device of a phone, or none.
    Messages {
        /// Who sends them.
        source: PhoneNumber,
        /// From which device.
        device: DeviceNumber,
        /// The phone.
        to: PhoneNumber,
        /// The messages, as the protocol writes them.
        list: Bytes,
    },
}

/// What another gateway answers, in the words of the protocol that both speak.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayAnswer {
    /// Its status.
    pub status: u16,
    /// When to try again, if it says so.
    pub retry_after: Option<Duration>,
    /// All that it says beside that.
    pub body: Bytes,
}

/// Why another gateway does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// No gateway of that name is known here.
    #[error("no gateway of that name is known")]
    Unknown,
    /// It cannot be reached now, or does not know this gateway, or answers nonsense.
    #[error("the other gateway cannot be asked now")]
    Unreachable,
}

/// Other gateways that speak the same protocol.
#[async_trait]
pub trait Relays: Send + Sync {
    /// Whether there is one of that name.
    fn knows(&self, relay: &str) -> bool;

    /// Asks one of them on behalf of a phone; what it answers may be a refusal.
    ///
    /// # Errors
    /// When there is no answer that means anything.
    async fn ask(&self, relay: &str, request: RelayRequest) -> Result<RelayAnswer, RelayError>;

    /// How many phones have registered there.
    ///
    /// # Errors
    /// When it does not say.
    async fn count_contacts(&self, relay: &str) -> Result<u64, RelayError>;

    /// Some of these, from the one at `offset` on; none from the end on.
    ///
    /// # Errors
    /// When it does not say.
    async fn list_contacts(
        &self,
        relay: &str,
        offset: u64,
    ) -> Result<Vec<RelayContact>, RelayError>;
}
