//! From an address to a client, with every bound that its user may want to move.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::build_error::BuildError;
use super::super::clock::{Clock, SystemClock};
use super::super::connect;
use super::super::entropy::Entropy;
use super::super::retry::RetryPolicy;
use super::DropBoxClient;
use super::call::Core;

const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Settings of a [`DropBoxClient`].
#[must_use = "a builder does nothing until it is built"]
pub struct DropBoxClientBuilder {
    base_url: String,
    http: Option<reqwest::Client>,
    clock: Arc<dyn Clock>,
    seed: Option<[u8; 32]>,
    retry: RetryPolicy,
    timeout: Duration,
    answer_limit: usize,
}

impl DropBoxClientBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            http: None,
            clock: Arc::new(SystemClock),
            seed: None,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            answer_limit: ANSWER_LIMIT,
        }
    }

    /// Uses this HTTP client instead of one of its own, for proxies or private certificates. It
    /// should follow no redirects.
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

    /// The longest that one try of one request may take, and that a file may not move; 30 seconds
    /// by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest answer that is read, files aside; 64 MiB by default.
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Checks the settings and makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// When a setting makes no sense, or the system has neither randomness nor, for `https`, root
    /// certificates.
    pub fn build(self) -> Result<DropBoxClient, BuildError> {
        let setting = |sensible: bool, setting, range| match sensible {
            true => Ok(()),
            false => Err(BuildError::Setting { setting, range }),
        };
        setting(self.retry.attempts >= 1, "retry.attempts", "at least 1")?;
        setting(!self.timeout.is_zero(), "timeout", "longer than nothing")?;
        setting(self.answer_limit >= 1024, "answer_limit", "at least 1024 bytes")?;
        let base = connect::parse_base_url(&self.base_url)?;
        let entropy = match self.seed {
            Some(seed) => Entropy::from_seed(seed),
            None => Entropy::from_system().map_err(BuildError::Randomness)?,
        };
        let http = match self.http {
            Some(client) => client,
            None => connect::http_client(&base).map_err(BuildError::Http)?,
        };
        let origin = base.origin().ascii_serialization();
        let core = Core {
            http,
            base: format!("{origin}{}", base.path().trim_end_matches('/')),
            clock: self.clock,
            entropy,
            retry: self.retry,
            timeout: self.timeout,
            answer_limit: self.answer_limit,
        };
        Ok(DropBoxClient { core: Arc::new(core) })
    }
}

impl fmt::Debug for DropBoxClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DropBoxClientBuilder")
            .field("base_url", &connect::without_password(&self.base_url))
            .finish_non_exhaustive()
    }
}
