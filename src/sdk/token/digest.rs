//! What binds a token to its request.

use sha2::{Digest, Sha256};

use crate::hex;

/// Digests a request: lower-case hex SHA-256 of method, path with query and raw body, joined.
///
/// ```
/// use sealpost_sdk::token::body_digest;
///
/// let digest = body_digest("GET", "/me", b"");
/// assert_eq!(digest, "5e6b58ffa10b3bc51724ff0bbd2afb91c4771ee340f5d685340dfa4c854bafba");
/// ```
#[must_use]
pub fn body_digest(method: &str, path_and_query: &str, body: &[u8]) -> String {
    let digest = Sha256::new().chain_update(method).chain_update(path_and_query).chain_update(body);
    hex::encode(&digest.finalize())
}
