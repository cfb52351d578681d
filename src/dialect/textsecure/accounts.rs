//! Registering a number: the code for it, and its confirmation. Push ids stand in [`push`], further
//! devices in [`super::devices`].

mod push;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use utoipa::OpenApi;

use super::TextSecureState;
use super::paths::{Routes, get_only, route};
use super::registering::Registering;
use crate::domain::error::Fault;
use crate::domain::phone::registration::{Proof, ProofError};
use crate::domain::phone::verification::dashed;
use crate::domain::phone::{PhoneNumber, Transport};
use crate::http::course::Course;
use crate::http::path::{PathPair, PathPart};
use crate::http::problem::Problem;

/// The routes of this file and of the files below it.
pub(super) fn routes() -> Routes {
    // Asking for a code makes one, so there is no HEAD, which must change nothing.
    let code = get_only(request_code);
    let mut routes = route(Routes::new(), "/v1/accounts/{transport}/code/{number}", code);
    // The second path is a slip in a description of the protocol that somebody may have followed.
    for path in ["/v1/accounts/code/{code}", "/v1/acccounts/code/{code}"] {
        routes = route(routes, path, put(confirm));
    }
    routes = route(routes, "/v1/accounts/token/{token}", put(confirm_by_token));
    routes = route(routes, "/v1/accounts/voice/twiml/{text}", post(speak));
    routes.merge(push::routes())
}

/// This file's part of the OpenAPI document, and of the files below it.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(request_code, confirm, confirm_by_token, speak))]
    struct Paths;
    let mut document = Paths::openapi();
    document.merge(push::openapi());
    document
}

/// `GET /v1/accounts/{transport}/code/{number}`: a fresh code for a number. Whatever credentials
/// come with it are not looked at.
#[utoipa::path(
    get, path = "/v1/accounts/{transport}/code/{number}", operation_id = "request_phone_code", tag = "TextSecure",
    summary = "Ask for a code",
    description = "Makes a code of six digits that proves the number, and has it handed over. An earlier one is void. No credential is looked at.",
    params(
        ("transport" = String, Path, description = "`sms`, `voice`, or for tests `dev`, which the operator must allow: the code is then the answer, as `123-456`"),
        ("number" = String, Path, description = "The number, with its `+`"),
    ),
    responses(
        (status = 200, description = "The code is on its way"),
        (status = 400, description = "The number is not `+` and at least ten digits"),
        (status = 415, description = "There is no such transport"),
    ),
)]
async fn request_code(
    State(state): State<Arc<TextSecureState>>,
    PathPair(transport, number): PathPair,
    request: Request,
) -> Result<Response, Problem> {
    knock(&state, &request)?;
    let Some(number) = PhoneNumber::parse(&number) else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    Course::begin_work_of(request.extensions());
    if transport == "dev" && state.settings.dev_transport {
        let code = state.switchboard.show_code(number).await?;
        return Ok(dashed(&code).to_string().into_response());
    }
    let Some(transport) = Transport::from_name(&transport) else {
        return Err(Fault::invalid("transport", "is neither `sms` nor `voice`").into());
    };
    state.switchboard.send_code(number, transport).await?;
    Ok(StatusCode::OK.into_response())
}

/// Counts a request that comes without a credential.
fn knock(state: &TextSecureState, request: &Request) -> Result<(), Fault> {
    let address = state.gate.address(request.extensions(), request.headers());
    state.gate.may_knock(address)?;
    state.gate.stranger(address)
}

/// `PUT /v1/accounts/code/{code}`: registers the number with the credentials that come with it.
#[utoipa::path(
    put, path = "/v1/accounts/code/{code}", operation_id = "register_phone", tag = "TextSecure",
    summary = "Register a number",
    description = "The credentials are those that shall be good from now on: the number and a password of the client's choice. Whoever had the number before loses it, with all devices, prekeys and messages. `/v1/acccounts/code/{code}` does the same.",
    params(
        ("code" = String, Path, description = "The code, with a dash or without"),
    ),
    request_body = super::registering::Body,
    responses(
        (status = 200, description = "The number is registered; this is its device 1"),
        (status = 401, description = "There are no usable credentials"),
        (status = 403, description = "The code is wrong, too old, or tried too often"),
        (status = 417, description = "The number is at another gateway"),
        (status = 422, description = "The name of the device has more than 50 characters"),
    ),
    security(("phone" = [])),
)]
async fn confirm(
    State(state): State<Arc<TextSecureState>>,
    PathPart(code): PathPart,
    asked: Registering,
) -> Result<StatusCode, Problem> {
    let number = asked.credentials.number.clone();
    let proof = state.switchboard.prove_by_code(number, &code).await;
    register(&state, proof, asked, StatusCode::OK).await
}

/// `PUT /v1/accounts/token/{token}`: the same with a token in place of a code.
#[utoipa::path(
    put, path = "/v1/accounts/token/{token}", operation_id = "register_phone_by_token", tag = "TextSecure",
    summary = "Register a number with a token",
    description = "The same with a token that the operator signed in place of a code.",
    params(
        ("token" = String, Path, description = "`NUMBER:TIME:SIGNATURE`: seconds since 1970, and the first 20 hex digits of the HMAC-SHA256 of `NUMBER:TIME`. Good for a day"),
    ),
    request_body = super::registering::Body,
    responses(
        (status = 204, description = "The number is registered; this is its device 1"),
        (status = 401, description = "There are no usable credentials"),
        (status = 403, description = "The token is wrong, too old or for another number, or this gateway takes none"),
        (status = 417, description = "The number is at another gateway"),
        (status = 422, description = "The name of the device has more than 50 characters"),
    ),
    security(("phone" = [])),
)]
async fn confirm_by_token(
    State(state): State<Arc<TextSecureState>>,
    PathPart(token): PathPart,
    asked: Registering,
) -> Result<StatusCode, Problem> {
    let number = asked.credentials.number.clone();
    let proof = state.switchboard.prove_by_token(number, &token).await;
    register(&state, proof, asked, StatusCode::NO_CONTENT).await
}

async fn register(
    state: &TextSecureState,
    proof: Result<Proof, ProofError>,
    asked: Registering,
    success: StatusCode,
) -> Result<StatusCode, Problem> {
    let proof = match proof {
        Ok(proof) => proof,
        Err(ProofError::Elsewhere) => return Ok(StatusCode::EXPECTATION_FAILED),
        Err(ProofError::Fault(fault)) => return Err(fault.into()),
    };
    let (password, attributes) = asked.hashed(state).await?;
    state.switchboard.register(proof, password, attributes).await?;
    Ok(success)
}

/// `POST /v1/accounts/voice/twiml/{text}`: what a provider of calls says to whoever picks up.
#[utoipa::path(
    post, path = "/v1/accounts/voice/twiml/{text}", operation_id = "speak_phone_code", tag = "TextSecure",
    summary = "Words for a call",
    description = "What a provider of calls speaks to whoever picks up, in Twilio's language.",
    params(
        ("text" = String, Path, description = "The digits, with commas between them"),
    ),
    responses(
        (status = 200, description = "The words, as `application/xml`"),
    ),
)]
async fn speak(
    State(state): State<Arc<TextSecureState>>,
    PathPart(text): PathPart,
    request: Request,
) -> Result<Response, Problem> {
    knock(&state, &request)?;
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Response><Say voice=\"woman\" language=\"en\">Your TextSecure verification code is: \
         {}</Say></Response>",
        escaped(&text)
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    Ok((headers, xml).into_response())
}

/// Text as XML has it. What XML 1.0 has no way to write is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_in_xml() {
        assert_eq!(escaped("1, 2, 3"), "1, 2, 3");
        assert_eq!(escaped("</Say>\u{1}&\"'"), "&lt;/Say&gt;&amp;&quot;&apos;");
    }
}
