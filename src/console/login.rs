//! Who may come in: by the password or the token as a form, which gives a cookie, or by the token with
//! each request.
//!
//! A cookie is 32 random bytes, of which the gateway keeps the hash. Browsers send it to nobody but
//! this gateway's console, and with no request that another site makes; a change needs a header
//! besides, which no page of another site can send.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::ConsoleState;
use crate::domain::Fault;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::limits::{Buckets, network_of};
use crate::domain::ports::Entropy;
use crate::http::body;
use crate::http::course::Course;
use crate::http::gate::Gate;
use crate::http::problem::Problem;

/// What a change made with a cookie has to have, whatever its value.
pub const HEADER: HeaderName = HeaderName::from_static("x-sealpost-console");

/// Says where a request comes from; browsers set it, and pages cannot.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie.
const NAME: &str = "sealpost_console";

/// How long a login is good.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Logins at the same time; a further one ends the oldest.
const MOST: usize = 64;

/// Wrong tries of one network in a minute, and of all together.
const TRIES: u64 = 10;
const ALL_TRIES: u64 = 60;

/// The largest form.
const FORM_BYTES: u64 = 4 * 1024;

/// The SHA-256 of something that only some know.
type Hash = [u8; 32];

/// Decides who may come in.
pub struct Door {
    password: Option<Hash>,
    token: Option<Hash>,
    /// Whether browsers reach the gateway over TLS alone.
    is_secure: bool,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The oldest first.
    logins: Mutex<VecDeque<Login>>,
    tries: Buckets<Option<IpAddr>>,
    all_tries: Buckets<()>,
}

/// What opens the door.
pub struct Keys<'a> {
    /// The password; empty for none.
    pub password: &'a str,
    /// The token; empty for none.
    pub token: &'a str,
    /// Whether browsers reach the gateway over TLS alone.
    pub is_secure: bool,
}

/// Somebody who has logged in.
struct Login {
    cookie: Hash,
    until: Timestamp,
}

/// How somebody has shown who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// By something that is sent on purpose.
    Token,
    /// By something that a browser sends by itself.
    Cookie,
}

impl Door {
    /// A door with these keys.
    #[must_use]
    pub fn new(
        keys: &Keys<'_>,
        gate: Arc<Gate>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let hash = |key: &str| (!key.is_empty()).then(|| hash(key));
        let what = "the number of wrong logins";
        Self {
            password: hash(keys.password),
            token: hash(keys.token),
            is_secure: keys.is_secure,
            gate,
            clock,
            entropy,
            logins: Mutex::default(),
            tries: Buckets::new(TRIES, what),
            all_tries: Buckets::new(ALL_TRIES, what),
        }
    }

    /// Looks at a password or a token, unless there were too many wrong ones.
    fn try_key(
        &self,
        key: &str,
        address: Option<IpAddr>,
        keys: &[Option<Hash>],
    ) -> Result<(), Fault> {
        let (network, now) = (address.map(network_of), self.clock.now());
        self.tries.require(network, 1, now)?;
        self.all_tries.require((), 1, now)?;
        let shown = hash(key);
        let is_one = keys.iter().flatten().map(|key| shown.ct_eq(key));
        if is_one.fold(Choice::from(0), |any, one| any | one).into() {
            return Ok(());
        }
        self.tries.take(network, 1, now)?;
        self.all_tries.take((), 1, now)?;
        tracing::warn!("somebody showed a wrong password or token at the console");
        Err(Fault::unauthorized("the password or token is wrong"))
    }

    /// Notes somebody who has shown a key; returns the cookie.
    fn let_in(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.entropy.fill(bytes.as_mut_slice());
        let cookie = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        let now = self.clock.now();
        let mut logins = self.logins();
        logins.retain(|login| login.until > now);
        if logins.len() >= MOST {
            logins.pop_front();
        }
        logins.push_back(Login { cookie: hash(&cookie), until: now.plus(LIFE) });
        cookie
    }

    fn is_in(&self, cookie: &str) -> bool {
        let (shown, now) = (hash(cookie), self.clock.now());
        let logins = self.logins();
        let good = logins.iter().filter(|login| login.until > now);
        let is_one = good.map(|login| shown.ct_eq(&login.cookie));
        is_one.fold(Choice::from(0), |any, one| any | one).into()
    }

    fn forget(&self, cookie: &str) {
        let shown = hash(cookie);
        self.logins().retain(|login| !bool::from(shown.ct_eq(&login.cookie)));
    }

    fn who(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Shown, Fault> {
        if let Some(token) = bearer(headers) {
            return self.try_key(token, address, &[self.token]).map(|()| Shown::Token);
        }
        match cookie(headers) {
            Some(cookie) if self.is_in(cookie) => Ok(Shown::Cookie),
            _ => Err(Fault::unauthorized("nobody is logged in here")),
        }
    }

    fn set_cookie(&self, value: &str, life: Duration) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let life = life.as_secs();
        let text = format!(
            "{NAME}={value}; Path=/console; Max-Age={life}; HttpOnly; SameSite=Strict{secure}"
        );
        // Letters and digits are always a header's value.
        let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    fn logins(&self) -> MutexGuard<'_, VecDeque<Login>> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|it| it.split_once('='));
    cookies.find(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim())
}

/// Refuses what a page of another site may have made a browser send.
fn require_own_page(headers: &HeaderMap) -> Result<(), Fault> {
    let site = headers.get(FETCH_SITE);
    if !headers.contains_key(HEADER) || site.is_some_and(|site| site != "same-origin") {
        let reason = "changes with a cookie come from the console's own page: the header \
                      `X-Sealpost-Console` is missing, or another site asks";
        return Err(Fault::forbidden(reason));
    }
    Ok(())
}

/// Lets those through who may come in.
pub(super) async fn require(
    State(state): State<Arc<ConsoleState>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let address = state.door.gate.address(request.extensions(), headers);
    let shown = state.door.who(headers, address)?;
    let is_change = !request.method().is_safe();
    if is_change && shown == Shown::Cookie {
        require_own_page(headers)?;
    }
    if is_change {
        // What an operator asks for is small and comes at once.
        Course::begin_work_of(request.extensions());
    }
    // Ids are all that these paths have in them.
    let change = is_change.then(|| format!("{} {}", request.method(), request.uri().path()));
    let response = next.run(request).await;
    if let Some(change) = change {
        let status = response.status().as_u16();
        tracing::info!(change, status, "an operator's change at the console");
    }
    Ok(response)
}

/// The form.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Form {
    password: String,
}

/// `POST /console/login`.
pub(super) async fn log_in(
    State(state): State<Arc<ConsoleState>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    require_own_page(&parts.headers)?;
    let address = state.door.gate.address(&parts.extensions, &parts.headers);
    let form = read_form(body).await?;
    let keys = [state.door.password, state.door.token];
    state.door.try_key(&form.password, address, &keys)?;
    let cookie = state.door.let_in();
    tracing::info!("an operator logged in at the console");
    let cookie = state.door.set_cookie(&cookie, LIFE);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

async fn read_form(body: Body) -> Result<Form, Fault> {
    let bytes = body::read(body, FORM_BYTES).await?;
    // The reader's own words might quote what is in the form.
    serde_json::from_slice(&bytes)
        .map_err(|_| Fault::malformed("the body is no JSON object with a `password`"))
}

/// `POST /console/logout`.
pub(super) async fn log_out(
    State(state): State<Arc<ConsoleState>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    require_own_page(&headers)?;
    if let Some(cookie) = cookie(&headers) {
        state.door.forget(cookie);
    }
    let over = state.door.set_cookie("", Duration::ZERO);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, over)]).into_response())
}
