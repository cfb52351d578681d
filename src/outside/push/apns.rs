//! Apple's service, its HTTP/2 API with tokens. What goes there is a wake-up and nothing else: the
//! device fetches its messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{PushError, Service, by_status, text_or_file, without_answer};
use crate::config::dialects::textsecure::push;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ports::{Notification, Pushed};
use crate::outside::client::{Answer, AskError, Client, JSON, Post};
use crate::outside::signed::EcKey;

/// Apple wants tokens that are at most an hour old, and new ones not more often than every twenty
/// minutes.
const TOKEN_LIFE: Duration = Duration::from_secs(40 * 60);

/// How long Apple keeps what it cannot hand over at once: as long as messages wait here.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The longest token of a device; Apple says that their size may change.
const LONGEST_ADDRESS: usize = 200;

/// An app at Apple.
pub(super) struct Apns {
    url: String,
    key: EcKey,
    key_id: String,
    team_id: String,
    topic: String,
    client: Client,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
}

/// What Apple knows the gateway by for a while.
#[derive(Clone)]
struct Token {
    bearer: Arc<Zeroizing<String>>,
    made_at: Timestamp,
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

impl Apns {
    /// The app that the settings name, if they name one.
    pub(super) fn open(
        settings: &push::Apns,
        client: Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, PushError> {
        if settings.key.is_empty() {
            return Ok(None);
        }
        const WHAT: &str = "Apple's signing key";
        let text = text_or_file(settings.key.reveal(), "-----BEGIN", WHAT)?;
        let key = EcKey::from_pem(text.as_bytes()).map_err(|error| PushError::Key(WHAT, error))?;
        Ok(Some(Self {
            url: settings.url.trim_end_matches('/').to_owned(),
            key,
            key_id: settings.key_id.clone(),
            team_id: settings.team_id.clone(),
            topic: settings.topic.clone(),
            client,
            clock,
            token: Mutex::new(None),
        }))
    }

    async fn send(&self, address: &str) -> Result<Answer, AskError> {
        let now = self.clock.now();
        let bearer = self.bearer(now)?;
        let post = Post::new(format!("{}/3/device/{address}", self.url), JSON, wake_up())
            .header("authorization", &bearer)?
            .header("apns-topic", &self.topic)?
            .header("apns-push-type", "alert")?
            .header("apns-priority", "10")?
            .header("apns-collapse-id", "wake")?
            .header("apns-expiration", &now.plus(KEPT_FOR).as_seconds().to_string())?;
        self.client.post(post).await
    }

    fn bearer(&self, now: Timestamp) -> Result<Arc<Zeroizing<String>>, AskError> {
        let kept = self.kept_token(|token| token.clone());
        if let Some(token) = kept.filter(|token| now < token.made_at.plus(TOKEN_LIFE)) {
            return Ok(token.bearer);
        }
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let claims = json!({ "iss": self.team_id, "iat": now.as_seconds() });
        let token = self.key.token(&header, &claims);
        let token = token.map_err(|_| AskError::Address("cannot be signed for"))?;
        let bearer = Arc::new(Zeroizing::new(format!("bearer {}", *token)));
        self.kept_token(|kept| *kept = Some(Token { bearer: bearer.clone(), made_at: now }));
        Ok(bearer)
    }

    fn kept_token<T>(&self, what: impl FnOnce(&mut Option<Token>) -> T) -> T {
        what(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge(&self, answer: &Answer) -> Pushed {
        let reason = answer.json::<Refusal>().map(|refusal| refusal.reason).unwrap_or_default();
        match (answer.status, reason.as_str()) {
            (410, _) => Pushed::Dead,
            // Another clock than ours.
            (403, "ExpiredProviderToken") => {
                self.kept_token(|kept| *kept = None);
                Pushed::Later(None)
            }
            (403, _) => {
                let reason = if is_a_word(&reason) { reason } else { String::new() };
                tracing::warn!(reason, "Apple does not take the gateway's token");
                Pushed::Failed
            }
            _ => by_status(Self::NAME, answer),
        }
    }
}

/// Apple's reasons are one word; nothing else of an answer gets into a log.
fn is_a_word(reason: &str) -> bool {
    reason.len() < 64 && reason.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[async_trait]
impl Service for Apns {
    const NAME: &'static str = "apns";

    async fn attempt(&self, address: &[u8], _: &Notification) -> Pushed {
        let is_token = !address.is_empty()
            && address.len() <= LONGEST_ADDRESS
            && address.iter().all(u8::is_ascii_hexdigit);
        let address = std::str::from_utf8(address).ok().filter(|_| is_token);
        let Some(address) = address else { return Pushed::Failed };
        match self.send(address).await {
            Ok(answer) => self.judge(&answer),
            Err(error) => without_answer(Self::NAME, &error),
        }
    }
}

/// What the app was woken with by its own servers: a text that it has translated, the usual sound,
/// and a moment to fetch what waits.
fn wake_up() -> Vec<u8> {
    let aps = json!({
        "alert": { "loc-key": "APN_Message" },
        "sound": "default",
        "content-available": 1,
        "category": "Message",
    });
    json!({ "aps": aps }).to_string().into_bytes()
}
