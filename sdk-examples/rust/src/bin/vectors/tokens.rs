//! The token of one request: the one that is accepted, and those that a gateway refuses.

use sealpost_sdk::keys::VerifyingKey;
use sealpost_sdk::token::{
    RequestClaims, TokenError, TokenLimits, Unverified, body_digest, check_claims, sign,
};
use serde::Deserialize;
use serde_json::Value;

use crate::reading::{Hex, Wrong, each, refused_since, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    #[serde(rename = "source")]
    _source: String,
    request: Request,
    claims: Value,
    seed: Hex,
    ed25519_public_key: String,
    now: i64,
    accepted: String,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[serde(rename = "name")]
    _name: String,
    token: String,
    reason: String,
}

pub fn check(file: &[u8]) -> Result<usize, Wrong> {
    let file: Tokens = serde_json::from_slice(file)?;
    let key = file.seed.key()?;
    let public = key.verifying_key();
    same(&public.to_base64(), &file.ed25519_public_key)?;
    let digest =
        body_digest(&file.request.method, &file.request.path, file.request.body.as_bytes());

    let claims: RequestClaims = serde_json::from_value(file.claims.clone())?;
    same(&claims.sig, &digest)?;
    same(&sign(&claims, &key)?, &file.accepted)?;
    let accepted = accept(&file.accepted, &public, file.now, &digest)?;
    // The SDK passes over claims that it does not know; here there must be none.
    same(&serde_json::to_value(accepted)?, &file.claims)?;

    let refused = each("refused", &file.refused, |case| {
        refused_since(accept(&case.token, &public, file.now, &digest), &case.reason)
    })?;
    Ok(1 + refused)
}

/// What a gateway does with a token.
fn accept(
    token: &str,
    key: &VerifyingKey,
    now: i64,
    digest: &str,
) -> Result<RequestClaims, TokenError> {
    let claims = Unverified::parse(token)?.verify(key)?;
    check_claims(&claims, now, digest, &TokenLimits::default())?;
    Ok(claims)
}
