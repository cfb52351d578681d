//! Pages of any origin may use this protocol: some of its clients live in browsers (Fetch
//! standard, CORS protocol). Nothing here goes by cookies, so a page gets nothing that it has no
//! password for.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const METHODS: &str = "GET, PUT, POST, DELETE, OPTIONS";
const HEADERS: &str =
    "Authorization, Content-Type, X-Requested-With, Content-Length, Accept, Origin";

/// How long a browser need not ask again, in seconds.
const MAX_AGE: &str = "5184000";

/// Whether a browser asks what it may ask.
#[must_use]
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question.
#[must_use]
pub fn preflight() -> Response {
    let allowed: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS)),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS)),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE)),
    ];
    let mut response = (StatusCode::OK, allowed).into_response();
    allow(&mut response);
    response
}

/// The same for paths of others that this protocol's clients are sent to.
pub async fn surround(request: Request, next: Next) -> Response {
    if is_preflight(request.method(), request.headers()) {
        return preflight();
    }
    let mut response = next.run(request).await;
    allow(&mut response);
    response
}

/// Lets a page of any origin read an answer.
pub fn allow(response: &mut Response) {
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
}
