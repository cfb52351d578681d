//! The bearer of each request: a token signed for one request, or a plain API token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::ids::{SessionId, UserId};
use crate::keys::{AgreementSecret, SigningKey};
use crate::token::{self, RequestClaims, SIGN_UP_LIFE, SignUpClaims, TokenError};

use super::clock::{Clock, unix_seconds};

/// Who the bot is: its account, its session and that session's key in both forms.
pub(super) struct Identity {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) signing: SigningKey,
    pub(super) agreement: AgreementSecret,
}

/// How the bot proves to the gateway who it is.
pub(super) enum Credential {
    /// A token for each request, bound to its method, path and body.
    Signed {
        /// The signer.
        identity: Arc<Identity>,
        /// How long each token is good for.
        lifetime: Duration,
    },
    /// A token of somebody who has a key and no account yet.
    SigningUp {
        /// The signer, and what is to be put on file.
        key: Box<SigningKey>,
        /// The gateway that the token is for.
        audience: String,
    },
    /// An opaque token that the gateway made.
    ApiToken(Zeroizing<String>),
}

impl Credential {
    /// The bearer for one try of one request, good for `at_least` this long.
    pub(super) fn token(
        &self,
        at_least: Duration,
        method: &str,
        path_and_query: &str,
        body: &[u8],
        token_id: &str,
        clock: &dyn Clock,
    ) -> Result<Zeroizing<String>, TokenError> {
        let (identity, lifetime) = match self {
            Self::ApiToken(token) => return Ok(token.clone()),
            Self::SigningUp { key, audience } => {
                let now = unix_seconds(clock);
                let claims = SignUpClaims {
                    aud: audience.clone(),
                    iat: now,
                    exp: now.saturating_add(SIGN_UP_LIFE),
                    // The same for every try, so that a lost answer is given again.
                    jti: key.verifying_key().to_base64(),
                    sig: token::body_digest(method, path_and_query, body),
                };
                return token::sign_up(&claims, key).map(Zeroizing::new);
            }
            Self::Signed { identity, lifetime } => (identity, lifetime),
        };
        let now = unix_seconds(clock);
        let lifetime = (*lifetime).max(at_least);
        let claims = RequestClaims {
            uid: identity.user,
            sid: identity.session,
            iat: now,
            exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            jti: token_id.to_owned(),
            sig: token::body_digest(method, path_and_query, body),
            scp: "FULL".to_owned(),
        };
        token::sign(&claims, &identity.signing).map(Zeroizing::new)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Signed { .. } => "Credential::Signed(..)",
            Self::SigningUp { .. } => "Credential::SigningUp(..)",
            Self::ApiToken(_) => "Credential::ApiToken(..)",
        })
    }
}
