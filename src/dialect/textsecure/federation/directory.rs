//! Our directory, for other gateways: all phones that have registered here, page by page.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

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

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(count, page))]
    struct Paths;
    Paths::openapi()
}

/// A number of phones.
#[derive(Serialize, ToSchema)]
#[schema(as = PhoneCount)]
struct Count {
    /// How many.
    #[schema(example = 2)]
    count: u64,
}

/// Phones of a gateway.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedPhones)]
struct Page {
    /// At most ten thousand.
    contacts: Vec<Listed>,
}

/// Only what is not usual is said of a phone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedPhone)]
struct Listed {
    /// Its token, without padding.
    #[schema(example = "BQVVHxMt5zAFXA")]
    token: String,
    /// Whether it takes text messages of the protocol.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    supports_sms: bool,
    /// Whether it cannot be reached at present.
    #[schema(required = false)]
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
#[utoipa::path(
    get, path = "/v1/federation/user_count", operation_id = "count_phones_for_gateway", tag = "TextSecure",
    summary = "Count phones",
    description = "Between gateways: how many phones have registered here.",
    responses(
        (status = 200, body = Count, description = "How many"),
    ),
    security(("gateway" = [])),
)]
async fn count(
    State(state): State<Arc<TextSecureState>>,
    _peer: Peer,
) -> Result<Body<Count>, Problem> {
    Ok(Body(Count { count: state.switchboard.count_phones().await? }))
}

/// `GET /v1/federation/user_tokens/{offset}`: ten thousand of them at most, from one on.
#[utoipa::path(
    get, path = "/v1/federation/user_tokens/{offset}", operation_id = "list_phones_for_gateway", tag = "TextSecure",
    summary = "List phones",
    description = "Between gateways: ten thousand of them at most, from one on.",
    params(
        ("offset" = u64, Path, description = "How many to pass over"),
    ),
    responses(
        (status = 200, body = Page, description = "The phones"),
        (status = 404, description = "The offset is no number"),
    ),
    security(("gateway" = [])),
)]
async fn page(
    State(state): State<Arc<TextSecureState>>,
    PathPart(offset): PathPart,
    _peer: Peer,
) -> Result<Body<Page>, Problem> {
    let offset = offset.parse().map_err(|_| Fault::NotFound { what: "path" })?;
    let phones = state.switchboard.list_phones(offset).await?;
    Ok(Body(Page { contacts: phones.into_iter().map(Into::into).collect() }))
}
