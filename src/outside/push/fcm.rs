//! Firebase Cloud Messaging, its HTTP v1 API: a token of Google's for a token that the gateway
//! signs as a service account, and one request for each notification.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{PushError, Service, by_status, text_or_file, without_answer};
use crate::config::dialects::textsecure::push;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ports::{Notification, Pushed};
use crate::outside::client::{Answer, AskError, Client, FORM, JSON, Post, form};
use crate::outside::signed::RsaKey;

/// What the account asks to be allowed.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// How a signed statement is exchanged for a token (RFC 7523).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long a signed statement is good; the longest that Google takes.
const STATEMENT_LIFE: Duration = Duration::from_secs(60 * 60);

/// A token is not used in the last minute of its life.
const MARGIN: Duration = Duration::from_secs(60);

/// Google takes 4096 bytes of data; the rest is for the names.
const LARGEST_MESSAGE: usize = 4000;

/// A project at Firebase.
pub(super) struct Fcm {
    url: String,
    account: ServiceAccount,
    key: RsaKey,
    client: Client,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
}

/// What Google hands out as a service account, as far as it is needed.
#[derive(Deserialize)]
struct ServiceAccount {
    project_id: String,
    private_key_id: String,
    /// Empty once it was read.
    private_key: String,
    client_email: String,
    #[serde(default = "googles_tokens")]
    token_uri: String,
}

fn googles_tokens() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

/// What Google knows the gateway by for an hour or so.
#[derive(Clone)]
struct Token {
    bearer: Arc<Zeroizing<String>>,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// Why there is no token.
enum NoToken {
    Ask(AskError),
    /// Google answers so, for now.
    Later(Option<Duration>),
    /// Google does not know the account, or wants something else of it.
    Refused(u16),
}

impl From<AskError> for NoToken {
    fn from(error: AskError) -> Self {
        Self::Ask(error)
    }
}

impl Fcm {
    /// The project that the settings name, if they name one.
    pub(super) fn open(
        settings: &push::Fcm,
        client: Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, PushError> {
        if settings.service_account.is_empty() {
            return Ok(None);
        }
        let text = text_or_file(settings.service_account.reveal(), "{", "the service account")?;
        let mut account: ServiceAccount =
            serde_json::from_str(&text).map_err(|_| PushError::ServiceAccount)?;
        let key = Zeroizing::new(std::mem::take(&mut account.private_key));
        let key = RsaKey::from_pem(key.as_bytes());
        let key = key.map_err(|error| PushError::Key("the service account's key", error))?;
        let base = settings.url.trim_end_matches('/');
        let url = format!("{base}/v1/projects/{}/messages:send", account.project_id);
        Ok(Some(Self { url, account, key, client, clock, token: Mutex::new(None) }))
    }

    async fn send(&self, body: &Value) -> Result<Answer, NoToken> {
        let answer = self.send_once(body).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // Google may take a token back before its time.
        self.kept_token(|token| *token = None);
        self.send_once(body).await
    }

    async fn send_once(&self, body: &Value) -> Result<Answer, NoToken> {
        let bearer = self.bearer().await?;
        let post = Post::new(&self.url, JSON, body.to_string().into_bytes());
        let post = post.header("authorization", &bearer)?;
        Ok(self.client.post(post).await?)
    }

    /// The token that is kept, or a fresh one. Some may be fetched at the same time, and then the
    /// last one is kept.
    async fn bearer(&self) -> Result<Arc<Zeroizing<String>>, NoToken> {
        let now = self.clock.now();
        let kept = self.kept_token(|token| token.clone());
        if let Some(token) = kept.filter(|token| now < token.until) {
            return Ok(token.bearer);
        }
        let statement = self.statement(now)?;
        let fields = form(&[("grant_type", GRANT), ("assertion", &statement)]);
        let answer = self.client.post(Post::new(&self.account.token_uri, FORM, fields)).await?;
        let Some(granted) = answer.json::<Granted>().filter(|_| answer.is_success()) else {
            return Err(match answer.status {
                429 | 500..600 => NoToken::Later(answer.retry_after),
                status => NoToken::Refused(status),
            });
        };
        let life = Duration::from_secs(granted.expires_in).saturating_sub(MARGIN);
        let granted = Zeroizing::new(granted.access_token);
        let bearer = Zeroizing::new(format!("Bearer {}", *granted));
        let token = Token { bearer: Arc::new(bearer), until: now.plus(life) };
        let bearer = token.bearer.clone();
        self.kept_token(|kept| *kept = Some(token));
        Ok(bearer)
    }

    /// What the account says about itself.
    fn statement(&self, now: Timestamp) -> Result<Zeroizing<String>, AskError> {
        let account = &self.account;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": account.private_key_id });
        let claims = json!({
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now.as_seconds(),
            "exp": now.plus(STATEMENT_LIFE).as_seconds(),
        });
        let statement = self.key.token(&header, &claims);
        statement.map_err(|_| AskError::Address("cannot be signed for"))
    }

    fn kept_token<T>(&self, what: impl FnOnce(&mut Option<Token>) -> T) -> T {
        what(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Service for Fcm {
    const NAME: &'static str = "fcm";

    async fn attempt(&self, address: &[u8], what: &Notification) -> Pushed {
        let Ok(token) = std::str::from_utf8(address) else {
            return Pushed::Failed;
        };
        let body = json!({
            "message": { "token": token, "data": data(what), "android": { "priority": "high" } },
        });
        match self.send(&body).await {
            Ok(answer) if is_unregistered(&answer) => Pushed::Dead,
            Ok(answer) => by_status(Self::NAME, &answer),
            Err(NoToken::Ask(error)) => without_answer(Self::NAME, &error),
            Err(NoToken::Later(after)) => Pushed::Later(after),
            Err(NoToken::Refused(status)) => {
                tracing::warn!(status, "Google does not give the service account a token");
                Pushed::Failed
            }
        }
    }
}

/// What the app finds in the notification: the names are those that its servers always used.
fn data(what: &Notification) -> Value {
    match what {
        Notification::Message(text) if text.len() <= LARGEST_MESSAGE => {
            json!({ "type": "message", "message": text })
        }
        Notification::Receipt(text) if text.len() <= LARGEST_MESSAGE => {
            json!({ "type": "receipt", "receipt": text })
        }
        _ => json!({ "type": "notification", "notification": "" }),
    }
}

/// Whether Google says that the app is not there any more. Its 404 may also mean that the project
/// is wrong.
fn is_unregistered(answer: &Answer) -> bool {
    let is_so = |body: Value| {
        let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
        details.iter().any(|detail| detail["errorCode"] == "UNREGISTERED")
    };
    answer.status == 404 && answer.json().is_some_and(is_so)
}
