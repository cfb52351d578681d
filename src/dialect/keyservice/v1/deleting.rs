//! `DELETE /Service`: a key with all that is in it, or one message of it.
//!
//! A request that names a message and is not clear about which must not take the whole box with it.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::intake::{self, Takes};
use super::names::Name;
use super::secret::{self, Owner};
use super::{Call, answer};
use crate::domain::error::Fault;

/// What a request may say. One that says anything else may mean something smaller than a whole box.
const SAID: [Name; 7] = [
    Name::Token,
    Name::Passphrase,
    Name::PrivateKeyHash,
    Name::PublicKey,
    Name::PrivateKey,
    Name::MessageId,
    Name::Version,
];

/// Deletes a key for its owner; with `messageid`, that message alone.
///
/// # Errors
/// [`Fault::Malformed`] without a token or a secret, and for what means nothing; [`Fault::Invalid`] for a `messageid` that is
/// none, [`Fault::NotFound`] for an unknown token, a wrong secret and an unknown message.
pub(super) async fn delete(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    sent.parameters.require_only(&SAID)?;
    let message = sent.parameters.number(Name::MessageId)?;
    let (token, secret) = secret::shown(&sent.parameters)?;
    let Owner { owned, .. } = secret::owner(call, &token, secret).await?;
    let depot = &call.state.depot;
    match message {
        // Before its time nobody is told what is in a box.
        Some(_) if !owned.is_released(depot.now()) => {
            return Err(Fault::NotFound { what: "drop box" });
        }
        Some(number) => depot.delete_message(&owned, number).await?,
        None => depot.delete_box(&owned).await?,
    }
    Ok(answer::text(StatusCode::OK, "Deleted.", call.format))
}
