//! Services that wake devices: Web Push and UnifiedPush, Firebase, Apple.
//!
//! Whatever they do, a message waits in the inbox as well, so they may lose everything. Each is
//! asked once, within bounds, and what it says is passed on: whether and when it is asked again is
//! the caller's affair.

mod apns;
mod encryption;
mod fcm;
mod vapid;
mod webpush;

use std::sync::Arc;

use async_trait::async_trait;

use super::client::{Answer, AskError, Client};
use super::signed::KeyError;
use crate::config::dialects::textsecure::PushServices;
use crate::domain::clock::Clock;
use crate::domain::phone::PushKind;
use crate::domain::ports::{Entropy, Notification, Push, Pushed};
use apns::Apns;
use fcm::Fcm;
use webpush::WebPush;

pub use vapid::VapidKey;

/// The services that are set up.
pub struct Services {
    webpush: Option<WebPush>,
    fcm: Option<Fcm>,
    apns: Option<Apns>,
}

/// What the services are asked with.
pub struct Means {
    /// For services that the operator wrote down.
    pub services: Client,
    /// The same, for one that speaks HTTP/2 alone.
    pub services_http2: Client,
    /// For endpoints that phones name.
    pub endpoints: Client,
    /// What endpoints know the gateway by.
    pub vapid: VapidKey,
    /// How their operators reach the gateway's, unless the settings say it.
    pub contact: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Why a service cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// A key cannot be read.
    #[error("cannot read the file of {0}")]
    Unreadable(&'static str, #[source] std::io::Error),
    /// The service account is not what Google hands out.
    #[error("the service account of Firebase is no JSON with what it needs")]
    ServiceAccount,
    /// A key cannot be used.
    #[error("cannot use {0}")]
    Key(&'static str, #[source] KeyError),
}

/// A service that is asked to carry something.
#[async_trait]
trait Service: Send + Sync {
    /// Its name, for the log.
    const NAME: &'static str;

    /// Asks once.
    async fn attempt(&self, address: &[u8], what: &Notification) -> Pushed;
}

impl Services {
    /// The services that the settings name.
    ///
    /// # Errors
    /// When one of them is set up with something that cannot be used.
    pub fn open(settings: &PushServices, means: Means) -> Result<Self, PushError> {
        let fcm = Fcm::open(&settings.fcm, means.services, means.clock.clone())?;
        let apns = Apns::open(&settings.apns, means.services_http2, means.clock.clone())?;
        let contact = match settings.webpush.contact.as_str() {
            "" => means.contact,
            contact => contact.to_owned(),
        };
        let webpush = settings.webpush.enabled.then_some(WebPush {
            client: means.endpoints,
            vapid: means.vapid,
            contact,
            clock: means.clock,
            entropy: means.entropy,
        });
        Ok(Self { webpush, fcm, apns })
    }
}

#[async_trait]
impl Push for Services {
    async fn push(&self, kind: PushKind, address: &[u8], what: Notification) -> Pushed {
        match kind {
            PushKind::Gcm => ask(self.fcm.as_ref(), address, &what).await,
            PushKind::Apn => ask(self.apns.as_ref(), address, &what).await,
            PushKind::WebPush => ask(self.webpush.as_ref(), address, &what).await,
        }
    }

    async fn probe(&self, url: &str) -> Option<bool> {
        self.webpush.as_ref()?.probe(url).await
    }

    fn web_push_key(&self) -> Option<String> {
        self.webpush.as_ref().map(|webpush| webpush.vapid.public())
    }
}

async fn ask<S: Service>(service: Option<&S>, address: &[u8], what: &Notification) -> Pushed {
    match service {
        Some(service) => service.attempt(address, what).await,
        None => Pushed::NotSetUp,
    }
}

/// What an answer means wherever nothing else is said about it.
fn by_status(service: &'static str, answer: &Answer) -> Pushed {
    match answer.status {
        200..300 => Pushed::Taken,
        429 | 500..600 => Pushed::Later(answer.retry_after),
        status => {
            tracing::debug!(service, status, "a push service refused a notification");
            Pushed::Failed
        }
    }
}

/// What it means that there is no answer.
fn without_answer(service: &'static str, error: &AskError) -> Pushed {
    tracing::debug!(service, "a push service did not answer: {error}");
    match error {
        AskError::TimedOut(_) | AskError::Failed(_) | AskError::Reach(_) => Pushed::Unreachable,
        _ => Pushed::Failed,
    }
}

/// A setting that is either the text itself, which begins so, or the path of a file that has it.
fn text_or_file(
    setting: &str,
    beginning: &str,
    what: &'static str,
) -> Result<zeroize::Zeroizing<String>, PushError> {
    if setting.trim_start().starts_with(beginning) {
        return Ok(setting.to_owned().into());
    }
    let read = std::fs::read_to_string(setting);
    read.map(Into::into).map_err(|error| PushError::Unreadable(what, error))
}
