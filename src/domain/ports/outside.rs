//! What phones need from the world outside: somebody who hands codes over, and services that wake
//! devices.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::domain::error::Fault;
use crate::domain::phone::{Device, Phone, PhoneNumber, PushKind, Transport};

/// A code on its way to its owner.
pub struct CodeMessage {
    /// To which number.
    pub number: PhoneNumber,
    /// How.
    pub transport: Transport,
    /// Six decimal digits.
    pub code: Zeroizing<String>,
}

impl CodeMessage {
    /// What its owner reads, or hears. Phones of the time look for the written form among the text
    /// messages that come in, so not a letter of it may be another.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(match self.transport {
            Transport::Sms => {
                let (first, second) = self.code.split_at_checked(3).unwrap_or((&self.code, ""));
                format!("Your TextSecure verification code: {first}-{second}")
            }
            Transport::Voice => {
                let digits: Vec<_> = self.code.chars().map(String::from).collect();
                format!("Your TextSecure verification code is: {}", digits.join(", "))
            }
        })
    }
}

impl fmt::Debug for CodeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeMessage(..)")
    }
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
    /// The same with a receipt in it, which some services carry under another name.
    Receipt(String),
    /// Nothing but that something waits.
    Wake,
}

/// What became of a notification.
#[derive(Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The service took it.
    Taken,
    /// The service took it, and wants to be asked under this address from now on.
    Moved(Vec<u8>),
    /// The service does not know the address any more.
    Dead,
    /// The service does not want it, and will not soon.
    Failed,
    /// Not now; after this time, if the service said so.
    Later(Option<Duration>),
    /// Nobody answered.
    Unreachable,
    /// This gateway cannot reach that service: the operator has set nothing up for it.
    NotSetUp,
}

impl fmt::Debug for Pushed {
    /// Without the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "Taken",
            Self::Moved(_) => "Moved(..)",
            Self::Dead => "Dead",
            Self::Failed => "Failed",
            Self::Later(_) => "Later",
            Self::Unreachable => "Unreachable",
            Self::NotSetUp => "NotSetUp",
        })
    }
}

/// Hears of what was stored for devices, and sees to it that they are woken. Nothing depends on it:
/// what was stored waits.
pub trait Notifier: Send + Sync {
    /// Takes note that this was stored for a device; never waits.
    fn stored(&self, phone: &Phone, device: &Device, envelope: &Bytes);

    /// Takes note that a reader of this device has left something behind; never waits.
    fn left(&self, phone: &Phone, device: &Device);
}

/// Services that wake devices. Nothing depends on them: what they carry waits in the inbox as well.
#[async_trait]
pub trait Push: Send + Sync {
    /// Asks the service, once, to carry a notification to the device at that address.
    async fn push(&self, kind: PushKind, address: &[u8], notification: Notification) -> Pushed;

    /// Whether what answers at a URL calls itself UnifiedPush; nothing when nobody says.
    async fn probe(&self, _url: &str) -> Option<bool> {
        None
    }

    /// The public key by which services for Web Push know this gateway, if it uses any.
    fn web_push_key(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_those_that_phones_look_for() {
        let text = |transport| {
            let number = PhoneNumber::parse("+14152222222").unwrap();
            CodeMessage { number, transport, code: "123456".to_owned().into() }.text().to_string()
        };
        assert_eq!(text(Transport::Sms), "Your TextSecure verification code: 123-456");
        let spoken = "Your TextSecure verification code is: 1, 2, 3, 4, 5, 6";
        assert_eq!(text(Transport::Voice), spoken);
    }
}
