//! One request to the gateway: signed, bounded, repeated where that is safe, its answer read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::Id;
use crate::token::TokenError;

use super::answer;
use super::clock::Clock;
use super::credential::Credential;
use super::entropy::Entropy;
use super::error::RequestError;
use super::retry::RetryPolicy;

/// Everything needed to talk to one gateway.
pub(super) struct Gateway {
    pub(super) http: reqwest::Client,
    /// Scheme, host and port, without a slash at the end.
    pub(super) origin: String,
    /// What stands before every path when the gateway lives under one; mostly empty.
    pub(super) prefix: String,
    pub(super) credential: Credential,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Duration,
    pub(super) answer_limit: usize,
}

/// A request, before it is signed. The body stays the same bytes however often it is sent.
pub(super) struct Call {
    method: Method,
    path: String,
    body: Bytes,
    timeout: Option<Duration>,
    repeat: Repeat,
    /// The tag of the answer that the caller holds.
    held: Option<String>,
}

/// An answer with its tag.
pub(super) struct Tagged<T> {
    pub(super) data: T,
    pub(super) tag: Option<String>,
}

/// The bytes of an answer; none when the caller holds them.
struct Answered {
    body: Option<Bytes>,
    tag: Option<String>,
}

/// What may be done after a try whose fate is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// The request does nothing twice.
    Always,
    /// Only when the gateway cannot have acted on it.
    UnlessActedOn,
    /// The caller repeats it in its own way.
    Never,
}

/// A try that failed.
pub(super) struct Failure {
    pub(super) error: RequestError,
    /// Whether the gateway may have done what it was asked for.
    pub(super) may_have_acted: bool,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Bytes::new())
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, Bytes::new())
    }

    pub(super) fn post(
        path: impl Into<String>,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Self, RequestError> {
        let body = serde_json::to_vec(body).map_err(RequestError::Body)?;
        Ok(Self::new(Method::POST, path, body.into()))
    }

    /// A `POST` whose path says everything.
    pub(super) fn post_nothing(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, Bytes::new())
    }

    pub(super) fn new(method: Method, path: impl Into<String>, body: Bytes) -> Self {
        Self { method, path: path.into(), body, timeout: None, repeat: Repeat::Always, held: None }
    }

    /// For the long poll, which answers late by design.
    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// For a caller that holds the answer with this tag, and wants another one only.
    pub(super) fn unless(mut self, tag: Option<String>) -> Self {
        self.held = tag;
        self
    }

    /// For a request that would do its work a second time.
    pub(super) fn unless_acted_on(mut self) -> Self {
        self.repeat = Repeat::UnlessActedOn;
        self
    }

    /// For a request that its caller repeats.
    pub(super) fn once(mut self) -> Self {
        self.repeat = Repeat::Never;
        self
    }
}

impl Gateway {
    /// Sends `call`, again where it failed in a way that may pass, and reads `data` of the answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, RequestError> {
        answer::data(&self.answer(call).await?.body.unwrap_or_default())
    }

    /// As [`call`](Self::call), with the answer's tag; `None` when the caller holds the answer
    /// ([`Call::unless`]).
    pub(super) async fn call_tagged<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<Option<Tagged<T>>, RequestError> {
        let Answered { body, tag } = self.answer(call).await?;
        let tagged = |body: Bytes| Ok(Tagged { data: answer::data(&body)?, tag });
        body.map(tagged).transpose()
    }

    /// As [`call`](Self::call), where the answer as a whole is what was asked for.
    pub(super) async fn call_bare<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<T, RequestError> {
        let body = self.answer(call).await?.body.unwrap_or_default();
        serde_json::from_slice(&body).map_err(RequestError::Answer)
    }

    async fn answer(&self, call: Call) -> Result<Answered, RequestError> {
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(&call, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !call.repeat.allows(&failure) {
                return Err(failure.error);
            }
            let asked = failure.error.retry_after();
            let Some(pause) = self.retry.pause(attempt, waited, asked, &self.entropy) else {
                return Err(failure.error);
            };
            self.clock.sleep(pause).await;
            waited = waited.saturating_add(pause);
            attempt += 1;
        }
    }

    /// One try. A token serves one try only: its time runs, and a gateway may refuse it twice.
    async fn attempt(&self, call: &Call, attempt: u32) -> Result<Answered, Failure> {
        let request_id: Id<()> = self.entropy.random_id();
        let request_id = request_id.to_string();
        let request = self
            .request(call, &request_id)
            .map_err(|error| Failure { error: error.into(), may_have_acted: false })?;
        let response = request.send().await.map_err(|source| Failure {
            may_have_acted: !source.is_connect(),
            error: RequestError::Transport { attempts: attempt, source: source.without_url() },
        })?;
        let reading = answer::Reading {
            attempt,
            limit: self.answer_limit,
            request_id: &request_id,
            now: self.clock.now(),
        };
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.map(str::to_owned);
        if call.held.is_some() && response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answered { body: None, tag });
        }
        Ok(Answered { body: Some(reading.read(response).await?), tag })
    }

    fn request(&self, call: &Call, request_id: &str) -> Result<RequestBuilder, TokenError> {
        let path = format!("{}{}", self.prefix, call.path);
        let token = self.credential.token(
            Duration::ZERO,
            call.method.as_str(),
            &path,
            &call.body,
            request_id,
            &*self.clock,
        )?;
        let request = self
            .http
            .request(call.method.clone(), format!("{}{path}", self.origin))
            // Marks the header as a secret, so that nothing on the way shows or indexes it.
            .bearer_auth(&*token)
            .header("X-Request-Id", request_id)
            .timeout(call.timeout.unwrap_or(self.timeout));
        let request = match &call.held {
            Some(tag) => request.header(IF_NONE_MATCH, tag),
            None => request,
        };
        Ok(match call.body.is_empty() {
            true => request,
            false => request.header(CONTENT_TYPE, "application/json").body(call.body.clone()),
        })
    }
}

impl Repeat {
    fn allows(self, failure: &Failure) -> bool {
        match self {
            Self::Never => false,
            Self::Always => failure.error.is_temporary(),
            Self::UnlessActedOn => failure.error.is_temporary() && !failure.may_have_acted,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;
    use crate::client::Bot;
    use crate::ids::{SessionId, UserId};
    use crate::keys::SigningKey;
    use crate::keystore::Keystore;

    #[test]
    fn the_bearer_is_marked_as_a_secret() {
        let keystore = Keystore {
            user_id: UserId::from_bytes([1; 16]),
            session_id: SessionId::from_bytes([2; 16]),
            server_public_key: None,
            session_private_key: SigningKey::from_seed(&[3; 32]),
            base_url: None,
        };
        let signing = Bot::builder(keystore.clone()).build().unwrap();
        let with_token = Bot::builder(keystore).api_token("spt_secret").build().unwrap();
        for bot in [signing, with_token] {
            let request = bot.core.gateway.request(&Call::get("/me"), "id").unwrap();
            let request = request.build().unwrap();
            let bearer = &request.headers()[AUTHORIZATION];
            assert!(bearer.to_str().unwrap().starts_with("Bearer ") && bearer.is_sensitive());
            let token = bearer.to_str().unwrap().trim_start_matches("Bearer ");
            assert!(!format!("{request:?}").contains(token));
        }
    }
}
