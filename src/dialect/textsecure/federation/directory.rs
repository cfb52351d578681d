//! Our directory, for other gateways: all phones that have registered here, page by page.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;

use super::super::TextSecureState;
use super::super::paths::{Routes, route};
use super::peer::Peer;
use crate::domain::error::Fault;
use crate::domain::phone::contact::ListedPhone;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/federation/user_count", get(count));
    route(routes, "/v1/federation/user_tokens/{offset}", get(page))
}

#[derive(Serialize)]
struct Count {
    count: u64,
}

#[derive(Serialize)]
struct Page {
    contacts: Vec<Listed>,
}

/// Only what is not usual is said of a phone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    token: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    supports_sms: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inactive: bool,
}

impl From<ListedPhone> for Listed {
    fn from(ListedPhone { contact, .. }: ListedPhone) -> Self {
        let token = STANDARD_NO_PAD.encode(contact.token.0);
        Self { token, supports_sms: contact.supports_sms, inactive: !contact.is_active }
    }
}

/// `GET /v1/federation/user_count`: how many phones have registered.
async fn count(
    State(state): State<Arc<TextSecureState>>,
    _peer: Peer,
) -> Result<Body<Count>, Problem> {
    Ok(Body(Count { count: state.switchboard.count_phones().await? }))
}

/// `GET /v1/federation/user_tokens/{offset}`: ten thousand of them at most, from one on.
async fn page(
    State(state): State<Arc<TextSecureState>>,
    PathPart(offset): PathPart,
    _peer: Peer,
) -> Result<Body<Page>, Problem> {
    let offset = offset.parse().map_err(|_| Fault::NotFound { what: "path" })?;
    let phones = state.switchboard.list_phones(offset).await?;
    Ok(Body(Page { contacts: phones.into_iter().map(Into::into).collect() }))
}
