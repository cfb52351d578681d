//! `Idempotency-Key`: a POST that comes again under its key gets the answer of the first one
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The rule is the domain's ([`crate::domain::idempotency`]). This part stands in front of the
//! handlers of POST requests that carry the header, and hands them the request as it checked it.

use std::sync::Arc;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sealpost_sdk::types::ErrorBody;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required};

use super::MixinState;
use super::auth::{authenticate, bearer};
use super::error::Shape;
use super::request::SignedRequest;
use crate::domain::error::Fault;
use crate::domain::idempotency::{
    Begun, IDEMPOTENCY_KEY, LONGEST_ANSWER, RunningRequest, StoredAnswer,
};
use crate::http::problem::Problem;

/// Answers repeated requests, and keeps the answers of first ones.
pub(super) async fn answer(state: Arc<MixinState>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    Box::pin(answer_once(&state, request, next)).await.into_response()
}

async fn answer_once(
    state: &MixinState,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // As for every request: nothing is worked out for an address that was wrong too often.
    state.gate.may_knock(state.gate.address(request.extensions(), request.headers()))?;
    let known = match bearer(request.headers()) {
        Some(token) => authenticate(state, token).await.map(drop),
        None => Err(Fault::unauthorized("there is no token")),
    };
    match known {
        Ok(()) => run(state, request, next).await,
        // Whoever has no account here has no keys either; the handler says what is wrong.
        Err(Fault::Unauthorized { .. }) => Ok(next.run(request).await),
        Err(fault) => Err(fault.into()),
    }
}

async fn run(state: &MixinState, request: Request, next: Next) -> Result<Response, Problem> {
    let shape = Shape::of(state, &request);
    let (mut parts, body) = request.into_parts();
    let checked = SignedRequest::check(state, &parts, body).await?;
    let key = key(&parts.headers)?.to_owned();
    let account = checked.caller.owner.account.number;
    let query = parts.uri.query().unwrap_or_default();
    let digest = digest(query, &checked.body);
    let path = parts.uri.path().to_owned();
    let running = match state.gateway.begin_request(account, &path, &key, digest).await? {
        Begun::Again(answer) => return Ok(replay(answer)),
        Begun::First(running) => running,
    };
    parts.extensions.insert(checked);
    let response = next.run(Request::from_parts(parts, Body::empty())).await;
    let truth = response.status();
    let response = shape.give(response);
    if !may_be_kept(truth, response.headers()) {
        state.gateway.finish_request(running, None).await?;
        return Ok(response);
    }
    keep(state, running, response).await
}

/// Whether an answer stands for the request as such: another time it may be otherwise, or it is about
/// what its caller has already, or it is not to be stored anywhere.
fn may_be_kept(status: StatusCode, headers: &HeaderMap) -> bool {
    let depends = [StatusCode::TOO_MANY_REQUESTS, StatusCode::NOT_MODIFIED].contains(&status);
    let directives = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = directives
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    let no_store = directives.any(|one| one.eq_ignore_ascii_case(b"no-store"));
    !status.is_server_error() && !depends && !no_store
}

/// The key of a request.
fn key(headers: &HeaderMap) -> Result<&str, Fault> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(key), None) = (values.next(), values.next()) else {
        return Err(Fault::invalid(IDEMPOTENCY_KEY, "is given more than once"));
    };
    // What is no text is no key; the rule says so.
    Ok(key.to_str().unwrap_or_default())
}

fn digest(query: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((query.len() as u64).to_le_bytes());
    hash.update(query);
    hash.update(body);
    hash.finalize().into()
}

fn replay(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], answer.body).into_response()
}

/// Keeps an answer, unless it is too long.
async fn keep(
    state: &MixinState,
    running: RunningRequest,
    response: Response,
) -> Result<Response, Problem> {
    let size = response.body().size_hint().upper();
    if size.is_none_or(|size| size > LONGEST_ANSWER as u64) {
        state.gateway.finish_request(running, None).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LONGEST_ANSWER).await;
    let body = body.map_err(|error| Fault::internal("reading an answer of ours", error))?;
    let answer = StoredAnswer { status: parts.status.as_u16(), body: body.clone() };
    state.gateway.finish_request(running, Some(answer)).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Says in the OpenAPI document what the header does to a POST.
pub fn describe(post: &mut Operation) {
    let mut header = Parameter::new(IDEMPOTENCY_KEY);
    header.parameter_in = ParameterIn::Header;
    header.required = Required::False;
    header.description = Some(
        "1 to 255 visible ASCII characters. For 24 hours, the same request of the same account under \
         the same key gets the answer of the first one, and does nothing. Failures of the gateway, \
         answers of more than 256 KiB, 304 and what says `Cache-Control: no-store` are not kept"
            .to_owned(),
    );
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    header.schema = Some(text.into());
    post.parameters.get_or_insert_default().push(RefOr::T(header));
    let answers = [
        (
            "409",
            "The first request under this `Idempotency-Key` is still running, or its answer was not kept",
        ),
        ("422", "`Idempotency-Key` cannot be used, or was used for another request"),
    ];
    for (status, description) in answers {
        post.responses.responses.entry(status.to_owned()).or_insert_with(|| {
            let mut answer = utoipa::openapi::response::Response::new(description);
            let body = Content::new(Some(Ref::from_schema_name(ErrorBody::name())));
            answer.content.insert("application/json".to_owned(), body.into());
            RefOr::T(answer)
        });
    }
}
