//! The one HTTP client of the gateway: bounded, and careful about whom it asks.
//!
//! - Over `https`; over `http` only hosts in networks that the operator allows.
//! - No address is connected to that [`Reach`] does not allow, whatever name it hides behind. What
//!   was checked is what gets connected to.
//! - No redirects, no proxies from the environment, no cookies.
//! - An end to the time of a call, to the size of an answer, to calls at the same time.
//! - Errors name neither URL nor header nor body: they are full of other people's secrets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Response, Url};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::reach::{Reach, ReachError};
use crate::domain::trace::{self, TRACEPARENT};

/// The largest answer that is read. Those that are waited for have some hundred bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// How long a connection may sit idle before it is closed.
const IDLE: Duration = Duration::from_secs(60);

/// Bounds of a client.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Whom it may ask.
    pub reach: Reach,
    /// What it speaks.
    pub protocol: Protocol,
    /// Calls at the same time; further ones wait within their own time.
    pub at_once: usize,
    /// How long a call may take, from its beginning to the end of the answer.
    pub patience: Duration,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// What the other side prefers.
    Any,
    /// HTTP/2 and nothing else.
    Http2,
}

/// Asks others.
#[derive(Clone)]
pub struct Client {
    secure: reqwest::Client,
    /// For networks of the operator's own.
    plain: reqwest::Client,
    reach: Reach,
    places: Arc<Semaphore>,
    patience: Duration,
    largest_answer: usize,
}

/// A request.
pub struct Post {
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When to try again, if it says so in seconds.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The library does not take what it is given.
    #[error("cannot set up HTTP for requests to others")]
    Library(#[from] reqwest::Error),
    /// There is nobody to trust.
    #[error("there is no certificate in it")]
    NoCertificate,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The address cannot be asked.
    #[error("the address {0}")]
    Address(&'static str),
    /// The host is none that may be asked, or not known.
    #[error(transparent)]
    Reach(ReachError),
    /// A header cannot be sent as it is.
    #[error("the header {0} holds what no header may")]
    Header(HeaderName),
    /// It took too long.
    #[error("there was no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// It is too large.
    #[error("the answer has more bytes than are read")]
    TooLarge,
    /// The connection failed.
    #[error("could not ask")]
    Failed(#[source] reqwest::Error),
}

impl Client {
    /// A client with these bounds. On a system without certificates to check others with it reaches
    /// nobody over `https`.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        install_provider();
        let secure = || builder(settings, settings.reach.clone()).https_only(true);
        let secure = secure().build().or_else(|error| {
            tracing::warn!("nobody can be asked over https: {error}");
            secure().tls_certs_only([]).build()
        })?;
        Self::around(settings, secure)
    }

    /// A client with these bounds that over `https` reaches those alone whom one of these
    /// certificates (PEM) speaks for, whatever the system believes.
    ///
    /// # Errors
    /// When there is none, or the library cannot be set up.
    pub fn trusting(settings: &ClientSettings, certificates: &[u8]) -> Result<Self, ClientError> {
        let certificates = Certificate::from_pem_bundle(certificates)?;
        match certificates.is_empty() {
            true => Err(ClientError::NoCertificate),
            false => Self::trusting_these(settings, certificates),
        }
    }

    /// A client with these bounds that reaches nobody over `https`.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn plain(settings: &ClientSettings) -> Result<Self, ClientError> {
        Self::trusting_these(settings, Vec::new())
    }

    fn trusting_these(
        settings: &ClientSettings,
        certificates: Vec<Certificate>,
    ) -> Result<Self, ClientError> {
        install_provider();
        let secure = builder(settings, settings.reach.clone()).https_only(true);
        Self::around(settings, secure.tls_certs_only(certificates).build()?)
    }

    /// The same client for answers of so many bytes.
    #[must_use]
    pub fn with_largest_answer(self, bytes: usize) -> Self {
        Self { largest_answer: bytes, ..self }
    }

    fn around(settings: &ClientSettings, secure: reqwest::Client) -> Result<Self, ClientError> {
        let plain = builder(settings, settings.reach.only_private()).tls_certs_only([]).build()?;
        Ok(Self {
            secure,
            plain,
            reach: settings.reach.clone(),
            places: Arc::new(Semaphore::new(settings.at_once)),
            patience: settings.patience,
            largest_answer: LARGEST_ANSWER,
        })
    }

    /// Hands something over and reads the answer, whatever its status is.
    ///
    /// # Errors
    /// When there is no whole answer in time.
    pub async fn post(&self, post: Post) -> Result<Answer, AskError> {
        self.ask(Method::POST, post).await
    }

    /// The same with `PUT`.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn put(&self, post: Post) -> Result<Answer, AskError> {
        self.ask(Method::PUT, post).await
    }

    /// The same with `GET`.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn get(&self, post: Post) -> Result<Answer, AskError> {
        self.ask(Method::GET, post).await
    }

    async fn ask(&self, method: Method, post: Post) -> Result<Answer, AskError> {
        let answer = timeout(self.patience, self.ask_now(method, post)).await;
        answer.unwrap_or(Err(AskError::TimedOut(self.patience)))
    }

    /// Whom it may ask.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// How long a call may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    async fn ask_now(&self, method: Method, post: Post) -> Result<Answer, AskError> {
        let url = Url::parse(&post.url).map_err(|_| AskError::Address("is no URL"))?;
        let client = self.for_scheme(&url)?;
        // Nobody closes it.
        let _place = self.places.acquire().await;
        let request = client.request(method, url).headers(traced(post.headers)).body(post.body);
        let response = request.send().await.map_err(failed)?;
        read(response, self.largest_answer).await
    }

    fn for_scheme(&self, url: &Url) -> Result<&reqwest::Client, AskError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AskError::Address("holds a user name or a password"));
        }
        let (client, reach) = match url.scheme() {
            "https" => (&self.secure, self.reach.clone()),
            "http" => (&self.plain, self.reach.only_private()),
            _ => return Err(AskError::Address("begins with neither https nor http")),
        };
        // An address that stands in the URL itself is never resolved.
        match literal(url).is_some_and(|address| !reach.allows(address)) {
            true => Err(AskError::Reach(ReachError::Refused)),
            false => Ok(client),
        }
    }
}

/// The headers with the trace of the request for whose sake somebody is asked.
fn traced(mut headers: HeaderMap) -> HeaderMap {
    let trace = trace::current().and_then(|trace| HeaderValue::from_str(trace.as_str()).ok());
    headers.extend(trace.map(|trace| (HeaderName::from_static(TRACEPARENT), trace)));
    headers
}

/// Fails when the program installed a provider already, and then that one is used.
fn install_provider() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}

fn builder(settings: &ClientSettings, reach: Reach) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("sealpost/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(Resolver(reach))
        .connect_timeout(settings.patience)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(4)
        .tcp_keepalive(IDLE / 2);
    match settings.protocol {
        Protocol::Any => builder,
        Protocol::Http2 => builder.http2_prior_knowledge(),
    }
}

/// The address that stands in a URL in the place of a name.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host).parse().ok()
}

/// Resolves names to what may be asked and nothing else.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            // The port is put in by whoever connects.
            let addresses = reach.resolve(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn read(mut response: Response, most: usize) -> Result<Answer, AskError> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > most {
            return Err(AskError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, retry_after, body })
}

fn seconds(header: &HeaderValue) -> Option<Duration> {
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// A failure without the URL, and under its own name when the host was refused.
fn failed(error: reqwest::Error) -> AskError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(ReachError::Refused) = found.downcast_ref::<ReachError>() {
            return AskError::Reach(ReachError::Refused);
        }
        cause = found.source();
    }
    AskError::Failed(error.without_url())
}

impl Post {
    /// A request with a body of this type.
    #[must_use]
    pub fn new(url: impl Into<String>, content_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { url: url.into(), headers, body }
    }

    /// A request without a body.
    #[must_use]
    pub fn empty(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: HeaderMap::new(), body: Vec::new() }
    }

    /// The same with one more header, whose value is never shown.
    ///
    /// # Errors
    /// When no header may hold that value.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self, AskError> {
        let name = HeaderName::from_static(name);
        let Ok(mut value) = HeaderValue::from_str(value) else {
            return Err(AskError::Header(name));
        };
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }
}

impl Answer {
    /// Whether what was asked was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as what it should be, if it is that.
    #[must_use]
    pub fn json<Body: DeserializeOwned>(&self) -> Option<Body> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Fields as a form carries them (`application/x-www-form-urlencoded`).
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    // The library writes the query of a URL in that form, and forms nowhere else that we build.
    let mut url = Url::parse("form:").expect("a URL");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().as_bytes().to_vec()
}

/// The type of what [`form`] writes.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The type of JSON.
pub const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_escapes_what_it_must() {
        let form = form(&[("To", "+1 415"), ("Body", "a&b=c/é")]);
        assert_eq!(form, b"To=%2B1+415&Body=a%26b%3Dc%2F%C3%A9");
    }

    #[test]
    fn an_address_in_a_url_is_seen_in_all_its_forms() {
        for (url, address) in [
            ("https://127.0.0.1/x", "127.0.0.1"),
            ("https://0x7f.1/", "127.0.0.1"),
            ("https://2130706433/", "127.0.0.1"),
            ("https://127.1./", "127.0.0.1"),
            ("https://[::ffff:127.0.0.1]:9/", "::ffff:127.0.0.1"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(literal(&url), Some(address.parse().unwrap()), "{url}");
        }
        assert_eq!(literal(&Url::parse("https://localhost/").unwrap()), None);
    }
}
