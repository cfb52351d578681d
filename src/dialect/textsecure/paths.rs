//! Paths of this protocol: a slash at the end is optional everywhere.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::handler::Handler;
use axum::http::Method;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get};

use super::TextSecureState;
use super::auth::Caller;
use super::error::method_not_allowed;
use crate::http::course::Course;
use crate::http::problem::Problem;
use crate::http::switch::Effect;

/// Routes of this protocol.
pub(super) type Routes = Router<Arc<TextSecureState>>;

/// Adds a path, with a slash at its end and without.
pub(super) fn route(
    routes: Routes,
    path: &str,
    methods: MethodRouter<Arc<TextSecureState>>,
) -> Routes {
    routes.route(path, methods.clone()).route(&format!("{path}/"), methods)
}

/// Answers GET and nothing else: what it gives out may be gone then, and HEAD has nothing to take.
pub(super) fn get_only<T: 'static>(
    handler: impl Handler<T, Arc<TextSecureState>>,
) -> MethodRouter<Arc<TextSecureState>> {
    get(handler).head(method_not_allowed)
}

/// What changes nothing for others, whatever its method says: looking contacts up, reading a code
/// aloud, acknowledging.
const READING: [&str; 3] = [
    "/v1/directory/tokens",
    "/v1/accounts/voice/twiml/{text}",
    "/v1/messages/{source}/{timestamp}",
];

/// What is asked by GET and makes something: a code, a code to link a device, room for a file.
const MAKING: [&str; 4] = [
    "/v1/accounts/{transport}/code/{number}",
    "/v1/devices/provisioning/code",
    "/v1/devices/provisioning_code",
    "/v1/attachments",
];

/// What a request for this path by this method does. Taking somebody's prekeys is a part of reading
/// them.
pub(super) fn effect(method: &Method, path: Option<&MatchedPath>) -> Effect {
    let path = path.map_or("", |path| path.as_str().trim_end_matches('/'));
    Effect::changing(match method.is_safe() {
        true => MAKING.contains(&path),
        false => !READING.contains(&path),
    })
}

/// A known device whose request has no body and may change something.
pub(super) struct Acting(pub(super) Caller);

impl FromRequestParts<Arc<TextSecureState>> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<TextSecureState>,
    ) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self(caller))
    }
}
