//! Further devices of a phone: `/v1/devices/`.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::Caller;
use super::paths::{Acting, Routes, get_only, route};
use super::registering::Registering;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::phone::linking::LinkError;
use crate::domain::phone::{Device, DeviceNumber};
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::new();
    // Both editions' paths. Asking for a code makes one, so there is no HEAD.
    for path in ["/v1/devices/provisioning_code", "/v1/devices/provisioning/code"] {
        routes = route(routes, path, get_only(link_code));
    }
    let routes = route(routes, "/v1/devices", get(list));
    route(routes, "/v1/devices/{which}", put(link).delete(unlink))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(link_code, link, list, unlink))]
    struct Paths;
    Paths::openapi()
}

/// A code for a further device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LinkCode<'a> {
    /// Six digits.
    #[schema(example = "123456")]
    verification_code: &'a str,
}

/// A phone with as many devices as it may have.
#[derive(Serialize, ToSchema)]
struct Full {
    /// How many it has.
    #[schema(example = 6)]
    current: u64,
    /// How many it may have.
    #[schema(example = 6)]
    max: u64,
}

/// A device that was just linked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Linked {
    /// Its number.
    #[schema(example = 2)]
    device_id: u32,
}

/// The devices of a phone.
#[derive(Serialize, ToSchema)]
struct DeviceList {
    /// All of them.
    devices: Vec<DeviceInfo>,
}

/// A device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    /// Its number; the first is 1.
    #[schema(example = 2)]
    id: u32,
    /// What its owner calls it.
    #[schema(example = "tablet")]
    name: Option<String>,
    /// When it was last seen, milliseconds since 1970.
    #[schema(example = 1393000000000_i64)]
    last_seen: i64,
    /// When it was registered or linked, milliseconds since 1970.
    #[schema(example = 1393000000000_i64)]
    created: i64,
}

impl From<&Device> for DeviceInfo {
    fn from(device: &Device) -> Self {
        let millis = |at: Timestamp| at.as_micros() / 1000;
        Self {
            id: device.number.0,
            name: device.name.clone(),
            last_seen: millis(device.last_seen_at.unwrap_or(device.created_at)),
            created: millis(device.created_at),
        }
    }
}

/// `GET /v1/devices/provisioning/code`: a code that lets one further device in.
#[utoipa::path(
    get, path = "/v1/devices/provisioning/code", operation_id = "request_link_code", tag = "TextSecure",
    summary = "A code for a further device",
    description = "For the first device alone. `/v1/devices/provisioning_code` does the same.",
    responses(
        (status = 200, body = LinkCode<'_>, description = "The code"),
        (status = 401, description = "The credentials are not accepted, or are not the first device's"),
        (status = 411, body = Full, description = "The phone has as many devices as it may"),
    ),
    security(("phone" = [])),
)]
async fn link_code(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<Response, Problem> {
    match state.switchboard.link_code(&caller.phone, &caller.device).await {
        Ok(code) => Ok(Body(LinkCode { verification_code: &code }).into_response()),
        Err(error) => refused(error),
    }
}

/// `PUT /v1/devices/{code}`: links a device with the credentials that come with it.
#[utoipa::path(
    put, path = "/v1/devices/{which}", operation_id = "link_device", tag = "TextSecure",
    summary = "Link a device",
    description = "The credentials are the number and the password that the new device has chosen.",
    params(
        ("which" = String, Path, description = "The code that the first device got"),
    ),
    request_body = super::registering::Body,
    responses(
        (status = 200, body = Linked, description = "The device is linked"),
        (status = 401, description = "There are no usable credentials"),
        (status = 403, description = "The code is wrong, too old or tried too often, or nobody has the number"),
        (status = 411, body = Full, description = "The phone has as many devices as it may"),
        (status = 422, description = "The name of the device has more than 50 characters"),
    ),
    security(("phone" = [])),
)]
async fn link(
    State(state): State<Arc<TextSecureState>>,
    PathPart(code): PathPart,
    asked: Registering,
) -> Result<Response, Problem> {
    let permit = state.switchboard.permit_link(&asked.credentials.number, &code).await?;
    let (password, attributes) = asked.hashed(&state).await?;
    match state.switchboard.link(permit, password, attributes).await {
        Ok(linked) => Ok(Body(Linked { device_id: linked.device.0 }).into_response()),
        Err(error) => refused(error),
    }
}

fn refused(error: LinkError) -> Result<Response, Problem> {
    match error {
        LinkError::Full { current, most } => {
            let body = Body(Full { current, max: most });
            Ok((StatusCode::LENGTH_REQUIRED, body).into_response())
        }
        LinkError::Fault(fault) => Err(fault.into()),
    }
}

/// `GET /v1/devices/`: all devices of the phone.
#[utoipa::path(
    get, path = "/v1/devices", operation_id = "list_devices", tag = "TextSecure",
    summary = "List devices",
    description = "All devices of the phone.",
    responses(
        (status = 200, body = DeviceList, description = "The devices"),
    ),
    security(("phone" = [])),
)]
async fn list(caller: Caller) -> Body<DeviceList> {
    Body(DeviceList { devices: caller.phone.devices.iter().map(DeviceInfo::from).collect() })
}

/// `DELETE /v1/devices/{id}`: ends a further device.
#[utoipa::path(
    delete, path = "/v1/devices/{which}", operation_id = "unlink_device", tag = "TextSecure",
    summary = "Unlink a device",
    description = "For the first device alone; what waits for the other is dropped.",
    params(
        ("which" = String, Path, description = "The number of the device, 2 or higher"),
    ),
    responses(
        (status = 204, description = "There is no such device, or no longer"),
        (status = 401, description = "The credentials are not accepted, or are not the first device's"),
        (status = 403, description = "The first device cannot be unlinked"),
        (status = 404, description = "That is no number of a device"),
    ),
    security(("phone" = [])),
)]
async fn unlink(
    State(state): State<Arc<TextSecureState>>,
    PathPart(id): PathPart,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    let number = id.parse().map_err(|_| Fault::NotFound { what: "device" })?;
    state.switchboard.unlink(&caller.phone, &caller.device, DeviceNumber(number)).await?;
    Ok(StatusCode::NO_CONTENT)
}
