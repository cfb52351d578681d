//! Reading what an operator asks for, with faults in place of plain-text rejections.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use sealpost_sdk::ids::Id;
use sealpost_sdk::keys::VerifyingKey;
use serde::de::DeserializeOwned;

use crate::domain::Fault;
use crate::http::body;
use crate::http::fault_log::chain;

/// The largest body: an account with as many devices as there may be.
const BODY_LIMIT: u64 = 256 * 1024;

/// A JSON body.
pub(super) async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Fault> {
    let bytes = body::read(body, BODY_LIMIT).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // A syntax error has no field; anything else is about one and says which.
        Fault::malformed(format!("the body cannot be read: {error}"))
    })
}

/// An id from the path or the query.
pub(super) fn id<Kind>(field: &'static str, text: &str) -> Result<Id<Kind>, Fault> {
    text.parse().map_err(|error| Fault::invalid(field, format!("`{text}`: {error}")))
}

/// An Ed25519 public key.
pub(super) fn public_key(text: &str) -> Result<VerifyingKey, Fault> {
    VerifyingKey::from_base64(text).map_err(|error| Fault::invalid("public_key", chain(&error)))
}

/// A query that cannot be read.
pub(super) fn query_fault(rejection: &QueryRejection) -> Fault {
    Fault::malformed(rejection.body_text())
}
