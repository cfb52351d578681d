//! One request about a box: bounded, repeated where that is safe, its answer read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dropbox::{AuthKey, BoxToken};

use super::super::answer::Reading;
use super::super::clock::Clock;
use super::super::entropy::Entropy;
use super::super::error::RequestError;
use super::super::gateway::Failure;
use super::super::retry::RetryPolicy;
use super::error::DropBoxError;
use super::problem;

pub(super) const SERVICE: &str = "/Service";
pub(super) const FILE: &str = "/Service/File";
pub(super) const SELF_DESTRUCT: &str = "/Service/SelfDestruct";
pub(super) const TAKE: &str = "/SelfDestruct/Take";

/// Everything needed to talk to one gateway.
pub(super) struct Core {
    pub(super) http: reqwest::Client,
    /// Scheme, host, port and path, without a slash at the end.
    pub(super) base: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Entropy,
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Duration,
    pub(super) answer_limit: usize,
}

/// A request, whose body stays the same bytes however often it is sent.
pub(super) struct Call<'a> {
    method: Method,
    path: &'static str,
    /// What follows `v=2`.
    query: String,
    body: Bytes,
    proof: Option<&'a AuthKey>,
    repeat: Repeat,
}

/// What may be done after a try whose fate is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The request does nothing twice.
    Always,
    /// Only when the gateway cannot have acted on it.
    UnlessActedOn,
}

/// How often something was tried.
pub(super) struct Tries {
    pub(super) attempt: u32,
    waited: Duration,
}

impl<'a> Call<'a> {
    /// Repeated whatever happens, until [`unless_acted_on`](Self::unless_acted_on) says otherwise.
    pub(super) fn new(method: Method, path: &'static str) -> Self {
        let (query, body) = (String::new(), Bytes::new());
        Self { method, path, query, body, proof: None, repeat: Repeat::Always }
    }

    pub(super) fn of_box(self, token: BoxToken) -> Self {
        self.with("token", &token.to_string())
    }

    /// Adds a parameter. It stands in the query as it is: ids, tokens and base64url need no escapes.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push_str(&format!("&{name}={value}"));
        self
    }

    pub(super) fn with_body(mut self, body: &impl Serialize) -> Result<Self, RequestError> {
        self.body = serde_json::to_vec(body).map_err(RequestError::Body)?.into();
        Ok(self)
    }

    /// Shows the gateway that this is the owner. The key stands in a header that is marked as a
    /// secret, and never in the query.
    pub(super) fn proved_by(mut self, key: &'a AuthKey) -> Self {
        self.proof = Some(key);
        self
    }

    /// For a request that would do its work a second time.
    pub(super) fn unless_acted_on(mut self) -> Self {
        self.repeat = Repeat::UnlessActedOn;
        self
    }
}

impl Core {
    /// Sends `call`, again where it failed in a way that may pass, and reads the answer.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<T, DropBoxError> {
        let mut tries = Tries::default();
        let body = loop {
            match self.attempt(call, tries.attempt).await {
                Ok(body) => break body,
                Err(failure) => tries.again(self, failure, call.repeat).await?,
            }
        };
        serde_json::from_slice(&body).map_err(|error| RequestError::Answer(error).into())
    }

    async fn attempt(&self, call: &Call<'_>, attempt: u32) -> Result<Bytes, Failure> {
        let request = self.request(call).timeout(self.timeout).send().await;
        let response = request.map_err(|source| unreached(source, attempt))?;
        let response = self.checked(response, attempt).await?;
        let body = self.body(response, attempt).await;
        body.map_err(|error| Failure { error, may_have_acted: true })
    }

    /// The request without a bound of its own.
    pub(super) fn request(&self, call: &Call<'_>) -> RequestBuilder {
        let Call { method, path, query, body, proof, .. } = call;
        let mut request =
            self.http.request(method.clone(), format!("{}{path}?v=2{query}", self.base));
        // Base64 is always a header's value.
        if let Some(mut proof) = proof.and_then(|key| HeaderValue::from_str(&key.to_base64()).ok())
        {
            proof.set_sensitive(true);
            request = request.header("authkey", proof);
        }
        match body.is_empty() {
            true => request,
            false => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
        }
    }

    /// The answer, if it is a success; otherwise why it is none.
    pub(super) async fn checked(
        &self,
        response: Response,
        attempt: u32,
    ) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let reading = self.reading(attempt);
        let retry_after = reading.retry_after(response.headers());
        // What a proxy says in place of a document may be anything; the status is enough then.
        let body = reading.body(response).await.unwrap_or_default();
        // A gateway that is too busy says so before it does anything.
        let may_have_acted = status.is_server_error() && status.as_u16() != 503;
        let error = problem::read(&body, status);
        let error = RequestError::Api { error, retry_after, attempts: attempt };
        Err(Failure { error, may_have_acted })
    }

    /// The body of an answer, within the bound.
    pub(super) async fn body(
        &self,
        response: Response,
        attempt: u32,
    ) -> Result<Bytes, RequestError> {
        self.reading(attempt).body(response).await
    }

    fn reading(&self, attempt: u32) -> Reading<'_> {
        let (limit, now) = (self.answer_limit, self.clock.now());
        Reading { attempt, limit, request_id: "", now }
    }
}

/// A try that brought no answer.
pub(super) fn unreached(source: reqwest::Error, attempts: u32) -> Failure {
    let may_have_acted = !source.is_connect();
    let error = RequestError::Transport { attempts, source: source.without_url() };
    Failure { error, may_have_acted }
}

impl Default for Tries {
    fn default() -> Self {
        Self { attempt: 1, waited: Duration::ZERO }
    }
}

impl Tries {
    /// Waits for the next try, or gives the failure back when there is none.
    pub(super) async fn again(
        &mut self,
        core: &Core,
        failure: Failure,
        repeat: Repeat,
    ) -> Result<(), DropBoxError> {
        let Failure { error, may_have_acted } = failure;
        let allowed = error.is_temporary() && (repeat == Repeat::Always || !may_have_acted);
        let asked = error.retry_after();
        let pause = core.retry.pause(self.attempt, self.waited, asked, &core.entropy);
        let Some(pause) = pause.filter(|_| allowed) else {
            return Err(error.into());
        };
        core.clock.sleep(pause).await;
        self.waited = self.waited.saturating_add(pause);
        self.attempt += 1;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::DropBoxClient;
    use super::*;
    use crate::dropbox::LetterSecret;

    #[test]
    fn dropbox_proofs_are_marked_as_secrets_and_stand_in_no_address() {
        let client = DropBoxClient::new("http://gateway/under/a/path/").unwrap();
        let key = LetterSecret::from_bytes([7; 32]).auth_key();
        let token = BoxToken::from_bytes([1; 16]);
        let call = Call::new(Method::GET, SERVICE).of_box(token).proved_by(&key);
        let request = client.core.request(&call).build().unwrap();
        let address = format!("http://gateway/under/a/path/Service?v=2&token={token}");
        assert_eq!(request.url().as_str(), address);
        let proof = &request.headers()["authkey"];
        assert!(proof.is_sensitive() && proof.to_str().unwrap() == *key.to_base64());
        assert!(!format!("{request:?}").contains(&*key.to_base64()));
    }
}
