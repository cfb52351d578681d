//! Why no bot could be built.

use crate::keystore::KeystoreError;

/// Why no bot could be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The keystore file could not be used.
    #[error("failed to read the keystore")]
    Keystore(#[from] KeystoreError),
    /// The base URL is none, or has parts that a base URL cannot have.
    #[error("{url:?} is no base URL: {reason}")]
    BaseUrl {
        /// The URL as given, but for a user name and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The API token is not one that a gateway makes.
    #[error("an API token begins with \"spt_\" and holds visible ASCII characters only")]
    ApiToken,
    /// A setting is outside the range in which it makes sense.
    #[error("{setting} must be {range}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The HTTP client could not be made; mostly because the machine has no root certificates.
    #[error("failed to set up the HTTP client")]
    Http(#[source] reqwest::Error),
    /// The operating system gave no randomness.
    #[error("failed to get randomness from the operating system")]
    Randomness(#[source] getrandom::Error),
}
