//! Services that wake devices: Web Push and UnifiedPush, Firebase, Apple.
//!
//! Whatever they do, a message waits in the inbox as well, so they may lose everything. Each is
//! asked a few times, within bounds, and what it says about an address is passed on: a dead one is
//! cleared.

mod apns;
mod encryption;
mod fcm;
mod vapid;
mod webpush;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

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

/// Before the second and the third try, unless the service says how long to wait.
pub const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// A service that wants a longer pause is not asked again for this notification.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The services that are set up.
pub struct Services {
    webpush: Option<WebPush>,
    fcm: Option<Fcm>,
    apns: Option<Apns>,
    pauses: [Duration; 2],
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
    /// Before the second and the third try.
    pub pauses: [Duration; 2],
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

/// What one try came to.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// There is nothing more to do.
    Settled(Pushed),
    /// Another try may be worth it, after this time if it was said.
    Again(Option<Duration>),
}

/// A service that is asked to carry something.
#[async_trait]
trait Service: Send + Sync {
    /// Its name, for the log.
    const NAME: &'static str;

    /// Asks once.
    async fn attempt(&self, address: &[u8], what: &Notification) -> Attempt;
}

impl Services {
    /// No service at all.
    #[must_use]
    pub fn none() -> Self {
        Self { webpush: None, fcm: None, apns: None, pauses: PAUSES }
    }

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
        Ok(Self { webpush, fcm, apns, pauses: means.pauses })
    }

    async fn carry<S: Service>(
        &self,
        service: Option<&S>,
        address: &[u8],
        what: &Notification,
    ) -> Pushed {
        let Some(service) = service else { return Pushed::NotSetUp };
        for pause in self.pauses {
            let after = match service.attempt(address, what).await {
                Attempt::Settled(pushed) => return pushed,
                Attempt::Again(after) => after.unwrap_or(pause),
            };
            if after > LONGEST_PAUSE {
                tracing::debug!(service = S::NAME, "a push service wants to be left alone");
                return Pushed::Failed;
            }
            sleep(after).await;
        }
        match service.attempt(address, what).await {
            Attempt::Settled(pushed) => pushed,
            Attempt::Again(_) => Pushed::Failed,
        }
    }
}

#[async_trait]
impl Push for Services {
    async fn push(&self, kind: PushKind, address: &[u8], what: Notification) -> Pushed {
        match kind {
            PushKind::Gcm => self.carry(self.fcm.as_ref(), address, &what).await,
            PushKind::Apn => self.carry(self.apns.as_ref(), address, &what).await,
            PushKind::WebPush => self.carry(self.webpush.as_ref(), address, &what).await,
        }
    }

    fn web_push_key(&self) -> Option<String> {
        self.webpush.as_ref().map(|webpush| webpush.vapid.public())
    }
}

impl Attempt {
    /// What an answer means wherever nothing else is said about it.
    fn by_status(service: &'static str, answer: &Answer) -> Self {
        match answer.status {
            200..300 => Self::Settled(Pushed::Taken),
            429 | 500..600 => Self::Again(answer.retry_after),
            status => {
                tracing::debug!(service, status, "a push service refused a notification");
                Self::Settled(Pushed::Failed)
            }
        }
    }

    /// What it means that there is no answer.
    fn without_answer(service: &'static str, error: &AskError) -> Self {
        tracing::debug!(service, "a push service did not answer: {error}");
        match error {
            AskError::TimedOut(_) | AskError::Failed(_) => Self::Again(None),
            _ => Self::Settled(Pushed::Failed),
        }
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
