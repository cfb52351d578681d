//! From a keystore to a bot, with every bound that a bot author may want to move.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::envelope::WrapCache;
use crate::keystore::Keystore;

use super::bot::{Bot, Core};
use super::build_error::BuildError;
use super::clock::{Clock, SystemClock};
use super::connect;
use super::credential::{Credential, Identity};
use super::entropy::Entropy;
use super::gateway::Gateway;
use super::refreshed::{Listener, Refreshed};
use super::retry::RetryPolicy;
use super::rosters::Rosters;
use super::sessions::SessionDirectory;
use super::socket::{Caller, KeepAlive};

/// Where a gateway listens when nobody says otherwise.
pub const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8080";

const MIB: usize = 1024 * 1024;

/// Settings of a bot; made by [`Bot::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct BotBuilder {
    keystore: Keystore,
    base_url: Option<String>,
    api_token: Option<Zeroizing<String>>,
    http: Option<reqwest::Client>,
    clock: Arc<dyn Clock>,
    seed: Option<[u8; 32]>,
    retry: RetryPolicy,
    timeout: Duration,
    poll_wait: Duration,
    pub(super) keep_alive: KeepAlive,
    token_lifetime: Duration,
    session_age: Duration,
    session_capacity: usize,
    concurrency: usize,
    rounds: u32,
    on_refresh: Listener,
    answer_limit: usize,
}

impl BotBuilder {
    pub(super) fn new(keystore: Keystore) -> Self {
        Self {
            keystore,
            base_url: None,
            api_token: None,
            http: None,
            clock: Arc::new(SystemClock),
            seed: None,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            poll_wait: Duration::from_secs(20),
            keep_alive: KeepAlive::default(),
            token_lifetime: Duration::from_secs(300),
            session_age: Duration::from_secs(600),
            session_capacity: 20_000,
            concurrency: 4,
            rounds: 5,
            on_refresh: Listener::default(),
            answer_limit: 64 * MIB,
        }
    }

    /// Where the gateway is. Without it: the keystore's `base_url`, then [`DEFAULT_BASE_URL`].
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sends this plain API token (`spt_…`) instead of signing each request. The keystore still
    /// seals and opens.
    pub fn api_token(mut self, token: impl Into<String>) -> Self {
        self.api_token = Some(Zeroizing::new(token.into()));
        self
    }

    /// Uses this HTTP client instead of one of its own, for proxies or private certificates. It
    /// should follow no redirects: a token is good for one path on one host.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// Takes time from here; for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes every random choice repeatable. Only for tests: whoever knows the seed can open
    /// everything that is sealed.
    pub fn rng_seed_for_tests(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The longest that one try of one request may take; 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long the gateway may hold an empty poll open; 20 seconds by default, at most 60.
    pub fn poll_wait(mut self, wait: Duration) -> Self {
        self.poll_wait = wait;
        self
    }

    /// How long each signed token is good for; five minutes by default.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// How long and for how many accounts session lists are kept; ten minutes and 20,000 by
    /// default. An old list costs a second round, never a lost message. Four times as many keys are
    /// remembered, to know who sealed a message from a session that has ended.
    pub fn session_cache(mut self, age: Duration, accounts: usize) -> Self {
        self.session_age = age;
        self.session_capacity = accounts;
        self
    }

    /// How many batches are on their way at once; 4 by default.
    pub fn concurrency(mut self, batches: usize) -> Self {
        self.concurrency = batches;
        self
    }

    /// How often a message is sealed at most when the recipient's sessions keep changing; 5 by
    /// default.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Calls `listener` for each message whose list of sessions was old; for logs and counters.
    pub fn on_refresh(mut self, listener: impl Fn(&Refreshed) + Send + Sync + 'static) -> Self {
        self.on_refresh = Listener::new(listener);
        self
    }

    /// The largest answer that is read; 64 MiB by default.
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Checks the settings and makes the bot. Nothing is sent yet.
    ///
    /// # Errors
    /// When a setting makes no sense, or the system has neither randomness nor, for an `https`
    /// base URL, root certificates.
    pub fn build(self) -> Result<Bot, BuildError> {
        self.check()?;
        let url = self
            .base_url
            .clone()
            .or_else(|| self.keystore.base_url.clone())
            .unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
        let base = connect::parse_base_url(&url)?;
        let entropy = Arc::new(match self.seed {
            Some(seed) => Entropy::from_seed(seed),
            None => Entropy::from_system().map_err(BuildError::Randomness)?,
        });
        let identity = Arc::new(Identity {
            user: self.keystore.user_id,
            session: self.keystore.session_id,
            agreement: self.keystore.session_private_key.agreement_secret(),
            signing: self.keystore.session_private_key,
        });
        let credential = match self.api_token {
            Some(token) => Credential::ApiToken(token),
            None => {
                let lifetime = self.token_lifetime;
                Credential::Signed { identity: Arc::clone(&identity), lifetime }
            }
        };
        let http = match self.http {
            Some(client) => client,
            None => connect::http_client(&base).map_err(BuildError::Http)?,
        };
        let gateway = Arc::new(Gateway {
            http,
            origin: base.origin().ascii_serialization(),
            prefix: base.path().trim_end_matches('/').to_owned(),
            credential,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&entropy),
            retry: self.retry,
            timeout: self.timeout,
            answer_limit: self.answer_limit,
        });
        let directory =
            SessionDirectory::new(Arc::clone(&gateway), self.session_age, self.session_capacity);
        Ok(Bot::from_core(Core {
            identity,
            gateway,
            directory,
            rosters: Rosters::new(self.session_age),
            caller: Caller::default(),
            wrap_cache: Arc::new(WrapCache::default()),
            entropy,
            clock: self.clock,
            concurrency: self.concurrency,
            rounds: self.rounds,
            on_refresh: self.on_refresh,
            poll_wait: self.poll_wait,
            keep_alive: self.keep_alive,
            base_url: url,
            server_public_key: self.keystore.server_public_key,
        }))
    }

    fn check(&self) -> Result<(), BuildError> {
        let setting = |sensible: bool, setting, range| match sensible {
            true => Ok(()),
            false => Err(BuildError::Setting { setting, range }),
        };
        let second = Duration::from_secs(1);
        setting((1..=64).contains(&self.concurrency), "concurrency", "1 to 64")?;
        setting((1..=100).contains(&self.rounds), "rounds", "1 to 100")?;
        setting(self.retry.attempts >= 1, "retry.attempts", "at least 1")?;
        setting(!self.timeout.is_zero(), "timeout", "longer than nothing")?;
        setting(self.token_lifetime >= second, "token_lifetime", "at least a second")?;
        setting(self.poll_wait <= 60 * second, "poll_wait", "at most a minute")?;
        setting(self.session_capacity >= 1, "session_cache", "for at least one account")?;
        setting(self.answer_limit >= 1024, "answer_limit", "at least 1024 bytes")?;
        let visible = |token: &Zeroizing<String>| {
            token.starts_with("spt_") && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match &self.api_token {
            Some(token) if !visible(token) => Err(BuildError::ApiToken),
            _ => Ok(()),
        }
    }
}

impl Bot {
    /// A bot from a keystore file as `sealpost bot create` writes it.
    ///
    /// # Errors
    /// When the file cannot be read or used, or [`BotBuilder::build`] fails.
    pub fn from_keystore(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Self::builder(Keystore::from_file(path.as_ref())?).build()
    }

    /// A bot with settings of your own.
    pub fn builder(keystore: Keystore) -> BotBuilder {
        BotBuilder::new(keystore)
    }
}

impl fmt::Debug for BotBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BotBuilder")
            .field("user_id", &self.keystore.user_id)
            .field("session_id", &self.keystore.session_id)
            .field("base_url", &self.base_url.as_deref().map(connect::without_password))
            .finish_non_exhaustive()
    }
}
