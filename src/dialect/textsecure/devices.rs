//! Further devices of a phone: `/v1/devices/`.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Serialize;

use super::TextSecureState;
use super::auth::Caller;
use super::error::method_not_allowed;
use super::paths::{Acting, Routes, route};
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
        routes = route(routes, path, get(link_code).head(method_not_allowed));
    }
    let routes = route(routes, "/v1/devices", get(list));
    route(routes, "/v1/devices/{which}", put(link).delete(unlink))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkCode<'a> {
    verification_code: &'a str,
}

#[derive(Serialize)]
struct Full {
    current: u64,
    max: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linked {
    device_id: u32,
}

#[derive(Serialize)]
struct DeviceList {
    devices: Vec<DeviceInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    id: u32,
    name: Option<String>,
    last_seen: i64,
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
async fn list(caller: Caller) -> Body<DeviceList> {
    Body(DeviceList { devices: caller.phone.devices.iter().map(DeviceInfo::from).collect() })
}

/// `DELETE /v1/devices/{id}`: ends a further device.
async fn unlink(
    State(state): State<Arc<TextSecureState>>,
    PathPart(id): PathPart,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    let number = id.parse().map_err(|_| Fault::NotFound { what: "device" })?;
    state.switchboard.unlink(&caller.phone, &caller.device, DeviceNumber(number)).await?;
    Ok(StatusCode::NO_CONTENT)
}
