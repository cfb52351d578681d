//! One request to the gateway: signed, bounded, repeated where that is safe, its answer read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::Id;

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

    pub(super) fn new(method: Method, path: impl Into<String>, body: Bytes) -> Self {
        Self { method, path: path.into(), body, timeout: None, repeat: Repeat::Always }
    }

    /// For the long poll, which answers late by design.
    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
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
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(&call, attempt).await {
                Ok(answer) => return answer::data(&answer),
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
            waited += pause;
            attempt += 1;
        }
    }

    /// One try. A token serves one try only: its time runs, and a gateway may refuse it twice.
    async fn attempt(&self, call: &Call, attempt: u32) -> Result<Bytes, Failure> {
        let request_id: Id<()> = self.entropy.random_id();
        let request_id = request_id.to_string();
        let path = format!("{}{}", self.prefix, call.path);
        let bearer = self
            .credential
            .bearer(call.method.as_str(), &path, &call.body, &request_id, &*self.clock)
            .map_err(|error| Failure { error: error.into(), may_have_acted: false })?;
        let mut request = self
            .http
            .request(call.method.clone(), format!("{}{path}", self.origin))
            .header(AUTHORIZATION, bearer)
            .header("X-Request-Id", &request_id)
            .timeout(call.timeout.unwrap_or(self.timeout));
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(call.body.clone());
        }
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
        reading.read(response).await
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
