//! Web Push (RFC 8030) and UnifiedPush: the device says at which endpoint it is woken, and nobody
//! needs an account anywhere.
//!
//! For a subscription with keys the notification is encrypted once more (RFC 8291) and the gateway
//! says who it is (RFC 8292). For an endpoint without keys, which is what UnifiedPush had at first,
//! it goes as it is: it is encrypted for the device already.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use serde::Deserialize;

use super::encryption::{LARGEST_BODY, OVERHEAD, SubscriptionKeys, encrypt};
use super::vapid::VapidKey;
use super::{Service, by_status, without_answer};
use crate::domain::clock::Clock;
use crate::domain::phone::push_address::Endpoint;
use crate::domain::ports::{Entropy, Notification, Pushed};
use crate::outside::client::{Answer, AskError, Client, Post};

/// What a device gets that shall only look: no base64, so that no client takes it for a message,
/// and not nothing, which UnifiedPush does not carry.
const WAKE: &str = "{}";

/// How long a service keeps what it cannot hand over at once, seconds: as long as messages wait
/// here.
const KEPT_FOR: &str = "604800";

/// The name under which one wake-up takes the place of another.
const WAKE_TOPIC: &str = "wake";

const NO_KEY: AskError = AskError::Address("comes with keys that are none");

/// Endpoints that devices name.
pub(super) struct WebPush {
    pub(super) client: Client,
    pub(super) vapid: VapidKey,
    pub(super) contact: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

#[async_trait]
impl Service for WebPush {
    const NAME: &'static str = "webpush";

    async fn attempt(&self, address: &[u8], what: &Notification) -> Pushed {
        let Some(endpoint) = Endpoint::from_bytes(address) else {
            return Pushed::Failed;
        };
        let room = LARGEST_BODY - if endpoint.keys.is_some() { OVERHEAD } else { 0 };
        let text = match what {
            Notification::Message(text) | Notification::Receipt(text) if text.len() <= room => text,
            _ => WAKE,
        };
        let attempt = self.post(&endpoint, text).await;
        match attempt {
            // A service with less room than the standard asks for.
            Ok(answer) if answer.status == 413 && text != WAKE => {
                Self::judge(self.post(&endpoint, WAKE).await)
            }
            attempt => Self::judge(attempt),
        }
    }
}

/// How a server says that it is one for UnifiedPush.
#[derive(Deserialize)]
struct Discovery {
    unifiedpush: DiscoveredVersion,
}

#[derive(Deserialize)]
struct DiscoveredVersion {
    version: u64,
}

impl WebPush {
    /// Whether what answers at a URL calls itself UnifiedPush; nothing when nobody says.
    pub(super) async fn probe(&self, url: &str) -> Option<bool> {
        let answer = self.client.get(Post::empty(url)).await.ok()?;
        let found = answer.json::<Discovery>().is_some_and(|it| it.unifiedpush.version == 1);
        (!matches!(answer.status, 429 | 500..600)).then(|| answer.is_success() && found)
    }

    fn judge(attempt: Result<Answer, AskError>) -> Pushed {
        match attempt {
            Ok(answer) if matches!(answer.status, 404 | 410) => Pushed::Dead,
            Ok(answer) => by_status(Self::NAME, &answer),
            Err(error) => without_answer(Self::NAME, &error),
        }
    }

    async fn post(&self, endpoint: &Endpoint, text: &str) -> Result<Answer, AskError> {
        let post = match &endpoint.keys {
            None => Post::new(&endpoint.url, "text/plain", text.into()),
            Some(keys) => {
                let keys = SubscriptionKeys::read(keys).ok_or(NO_KEY)?;
                let mut salt = [0; 16];
                self.entropy.fill(&mut salt);
                let body = encrypt(text.as_bytes(), &keys, salt).map_err(|_| NO_KEY)?;
                let url = Url::parse(&endpoint.url).map_err(|_| AskError::Address("is no URL"))?;
                let credential = self.vapid.credential(&url, &self.contact, self.clock.now());
                let credential =
                    credential.map_err(|_| AskError::Address("cannot be signed for"))?;
                Post::new(&endpoint.url, "application/octet-stream", body)
                    .header("content-encoding", "aes128gcm")?
                    .header("authorization", &credential)?
            }
        };
        let post = post.header("ttl", KEPT_FOR)?.header("urgency", "high")?;
        let post = if text == WAKE { post.header("topic", WAKE_TOPIC)? } else { post };
        self.client.post(post).await
    }
}
