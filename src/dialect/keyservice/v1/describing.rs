//! `/Service/GetToken`: a key without its messages.
//!
//! The original handed everything out to whoever knew the token: the encrypted private key, its
//! hash, every message, and who is told of them. Here strangers see what a sender needs; the owner,
//! who shows a secret, sees what was shown when the key was made.

use axum::extract::Request;
use axum::response::Response;

use super::intake::{self, Takes};
use super::secret::{self, Owner, Proof, Secret};
use super::views::KeyView;
use super::{Call, creating};
use crate::domain::error::Fault;

/// Shows a key.
///
/// # Errors
/// [`Fault::NotFound`] for an unknown one and for a wrong secret.
pub(super) async fn describe(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let token = sent.parameters.token()?;
    let depot = &call.state.depot;
    let Some(secret) = Secret::of(&sent.parameters) else {
        let found = depot.drop_box(&token).await?;
        return Ok(creating::written(call, &KeyView::public(&found, depot.now())));
    };
    let Owner { owned, proof } = secret::owner(call, &token, secret).await?;
    let hash = match &proof {
        Proof::Key(_, hash) => hash.as_ref(),
        Proof::Hash(hash) => Some(hash),
    };
    let view = KeyView::own(&owned, depot.now(), hash.map(|hash| hash.as_str()));
    // As in the original, nobody gets a private key before its time.
    let private_key = view.private_key.filter(|_| view.is_released());
    Ok(creating::written(call, &KeyView { private_key, ..view }))
}
