//! What phones need from the world outside: somebody who hands codes over, and services that wake
//! devices.

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::domain::error::Fault;
use crate::domain::phone::{PhoneNumber, PushKind, Transport};

/// A code on its way to its owner.
pub struct CodeMessage {
    /// To which number.
    pub number: PhoneNumber,
    /// How.
    pub transport: Transport,
    /// Six decimal digits.
    pub code: Zeroizing<String>,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeDelivery {
    /// Somebody took it over.
    Sent,
    /// It waits for the operator to hand it over.
    Outbox,
}

/// Hands codes over.
#[async_trait]
pub trait CodeSender: Send + Sync {
    /// Hands a code over.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when nobody took it.
    async fn deliver(&self, message: &CodeMessage) -> Result<CodeDelivery, Fault>;

    /// The code that this number always gets, if it is one for tests. Nothing is sent to it.
    fn fixed(&self, number: &PhoneNumber) -> Option<Zeroizing<String>>;
}

/// What a service is asked to carry to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// A message, encrypted for the device: base64 with padding.
    Message(String),
    /// Nothing but that something waits.
    Wake,
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The service took it.
    Taken,
    /// The service took it, and wants to be asked under this address from now on.
    Moved(Vec<u8>),
    /// The service does not know the address any more.
    Dead,
    /// Not now.
    Failed,
    /// This gateway cannot reach that service: the operator has set nothing up for it.
    NotSetUp,
}

/// Services that wake devices. Nothing depends on them: what they carry waits in the inbox as well.
#[async_trait]
pub trait Push: Send + Sync {
    /// Asks the service to carry a notification to the device at that address, and tries again a
    /// few times.
    async fn push(&self, kind: PushKind, address: &[u8], notification: Notification) -> Pushed;
}
