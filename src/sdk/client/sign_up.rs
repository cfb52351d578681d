//! Signing up: from a key to an account with its first session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::keys::SigningKey;
use crate::keystore::{self, Keystore, KeystoreError};
use crate::types::{CreateAccount, CreatedAccount};

use super::build_error::BuildError;
use super::clock::{Clock, SystemClock};
use super::connect;
use super::credential::Credential;
use super::entropy::Entropy;
use super::error::RequestError;
use super::gateway::{Call, Gateway};
use super::retry::RetryPolicy;

/// The largest answer that a stranger is read.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Asks a gateway for an account, where its operator lets people sign up.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sealpost_sdk::client::{Device, SignUp};
///
/// let keystore = SignUp::new("https://gateway.example", "Ada").invite("spi_…").send().await?;
/// keystore.write_new("ada.json")?;
/// let phone = Device::from_keystore("ada.json")?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked for until it is sent"]
pub struct SignUp {
    base_url: String,
    full_name: String,
    platform: String,
    invite: String,
    key: Option<SigningKey>,
    clock: Arc<dyn Clock>,
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignUpError {
    /// The gateway cannot be asked at all.
    #[error("failed to prepare the request")]
    Build(#[from] BuildError),
    /// The gateway refuses, most likely since nobody may sign up or not without an invitation; or
    /// it was not reached.
    #[error("failed to sign up")]
    Request(#[from] RequestError),
    /// What the gateway says its own key is, is none.
    #[error("the gateway names no usable key of its own")]
    ServerKey(#[from] KeystoreError),
}

/// What `GET /` says of a gateway.
#[derive(Deserialize)]
struct Greeting {
    server_public_key: String,
}

impl SignUp {
    /// At this gateway, under this name, with a new key.
    pub fn new(base_url: impl Into<String>, full_name: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            full_name: full_name.into(),
            platform: String::new(),
            invite: String::new(),
            key: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// With the operator's invitation.
    pub fn invite(mut self, invite: impl Into<String>) -> Self {
        self.invite = invite.into();
        self
    }

    /// Says what the device runs on.
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = platform.into();
        self
    }

    /// With a key that was made before. Asking for the very same thing again with the same key
    /// gives the same account, for a day: keep it first, and no crash leaves an account behind that
    /// nobody can use.
    pub fn key(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Takes time from here; for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Signs up, and gives what a program needs to be the new session. Write it to a file.
    ///
    /// # Errors
    /// When the gateway refuses, or a request fails for good.
    pub async fn send(self) -> Result<Keystore, SignUpError> {
        let base = connect::parse_base_url(&self.base_url)?;
        let entropy = Arc::new(Entropy::from_system().map_err(BuildError::Randomness)?);
        let key = self.key.unwrap_or_else(|| SigningKey::generate(&mut entropy.fork()));
        let http = connect::http_client(&base).map_err(BuildError::Http)?;
        let mut gateway = Gateway {
            http,
            origin: base.origin().ascii_serialization(),
            prefix: String::new(),
            credential: Credential::SigningUp {
                key: Box::new(key.clone()),
                audience: String::new(),
            },
            clock: self.clock,
            entropy,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            answer_limit: ANSWER_LIMIT,
        };
        // Whatever its prefix is, a gateway says who it is at the root.
        let greeting: Greeting = gateway.call_bare(Call::get("/")).await?;
        let server_key = keystore::server_key(&greeting.server_public_key)?;
        gateway.prefix = base.path().trim_end_matches('/').to_owned();
        let audience = greeting.server_public_key.to_ascii_lowercase();
        gateway.credential = Credential::SigningUp { key: Box::new(key.clone()), audience };
        let body = CreateAccount {
            public_key: key.verifying_key().to_base64(),
            full_name: self.full_name,
            platform: self.platform,
            invite: self.invite,
        };
        let created: CreatedAccount = gateway.call(Call::post("/accounts", &body)?).await?;
        Ok(Keystore {
            user_id: created.user_id,
            session_id: created.session_id,
            server_public_key: Some(server_key),
            session_private_key: key,
            base_url: Some(self.base_url),
        })
    }
}

impl fmt::Debug for SignUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignUp")
            .field("base_url", &connect::without_password(&self.base_url))
            .field("full_name", &self.full_name)
            .finish_non_exhaustive()
    }
}
