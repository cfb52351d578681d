//! What members here ask about members of other gateways: their prekeys.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use utoipa::OpenApi;

use super::super::auth::{Acting, Caller};
use super::super::error::{ErrorBody, Refusal};
use super::super::path::PathText;
use super::super::{HushNetState, Routes, get_alone};
use super::shapes::BundleBody;
use crate::domain::error::Fault;
use crate::domain::messenger::federation::NodeError;
use crate::domain::messenger::node::Address;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/s2s/federated/{username}/{node_id}/keys", get_alone(keys))
        .route("/users/federated/{address}/keys", get_alone(documented_keys))
}

pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(keys, documented_keys))]
    struct Paths;
    Paths::openapi()
}

/// `GET /s2s/federated/{username}/{node_id}/keys`: prekeys of a member of any gateway.
#[utoipa::path(
    get, path = "/s2s/federated/{username}/{node_id}/keys", operation_id = "take_hushnet_federated_keys", tag = "HushNet",
    summary = "Prekeys of a member of another gateway",
    description = "Prekeys of each of its devices; each one-time prekey is given out once. Devices of other gateways have ids of their own here, by which they are addressed here.",
    params(
        ("username" = String, Path, description = "The member's name"),
        ("node_id" = String, Path, description = "The gateway's"),
    ),
    responses(
        (status = 200, body = Vec<BundleBody>, description = "The prekeys"),
        (status = 401, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "That gateway is blocked"),
        (status = 404, body = ErrorBody, description = "No such member, or nobody knows that gateway"),
        (status = 502, body = ErrorBody, description = "That gateway, or who knows it, does not answer as it should"),
        (status = 503, body = ErrorBody, description = "Who knows that gateway cannot be asked now"),
    ),
    security(("device" = [])),
)]
async fn keys(
    State(state): State<Arc<HushNetState>>,
    Path((name, node)): Path<(String, String)>,
    Acting(caller): Acting,
) -> Result<Json<Vec<BundleBody>>, Refusal> {
    let address = read(&format!("{name}@{node}"))?;
    keys_of(&state, &caller, address.ok_or_else(unknown)?).await
}

/// `GET /users/federated/{address}/keys`: the same by address, as the documentation has it.
#[utoipa::path(
    get, path = "/users/federated/{address}/keys", operation_id = "take_hushnet_federated_keys_documented", tag = "HushNet",
    summary = "Prekeys by address",
    description = "As `/s2s/federated/{username}/{node_id}/keys`, for `name@gateway`.",
    params(("address" = String, Path, description = "Name, `@` and gateway")),
    responses(
        (status = 200, body = Vec<BundleBody>, description = "The prekeys"),
        (status = 400, body = ErrorBody, description = "There is no `@` in the address"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "That gateway is blocked"),
        (status = 404, body = ErrorBody, description = "No such member, or nobody knows that gateway"),
        (status = 502, body = ErrorBody, description = "That gateway, or who knows it, does not answer as it should"),
        (status = 503, body = ErrorBody, description = "Who knows that gateway cannot be asked now"),
    ),
    security(("device" = [])),
)]
async fn documented_keys(
    State(state): State<Arc<HushNetState>>,
    PathText(address): PathText,
    Acting(caller): Acting,
) -> Result<Json<Vec<BundleBody>>, Refusal> {
    let address = read(&address)?;
    let no_address = || {
        let text = "invalid federated address, expected user@node";
        Refusal::worded(Fault::malformed(text), StatusCode::BAD_REQUEST, text)
    };
    keys_of(&state, &caller, address.ok_or_else(no_address)?).await
}

/// What an address says. Nobody has one that is none.
fn read(address: &str) -> Result<Option<Address>, Refusal> {
    Address::parse("address", address).map_err(|_| unknown())
}

fn unknown() -> Refusal {
    let fault = Fault::NotFound { what: "user" };
    Refusal::worded(fault, StatusCode::NOT_FOUND, "user not found")
}

async fn keys_of(
    state: &HushNetState,
    caller: &Caller,
    address: Address,
) -> Result<Json<Vec<BundleBody>>, Refusal> {
    let federation = &state.federation;
    let bundles = match federation.is_own(&address.node) {
        true => match federation.local(address.name.as_str()).await {
            Ok(member) => {
                let here = federation.keys_here(&member, caller.visitor.address);
                here.await.map_err(NodeError::from)
            }
            Err(fault) => Err(fault.into()),
        },
        false => federation.keys_elsewhere(&address).await,
    };
    let bundles = bundles.map_err(|error| match error {
        NodeError::Fault(Fault::NotFound { what: "user" }) => unknown(),
        other => other.into(),
    })?;
    Ok(Json(bundles.into_iter().map(Into::into).collect()))
}
