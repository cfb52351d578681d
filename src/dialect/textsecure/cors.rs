//! Pages of any origin may use this protocol: some of its clients live in browsers.

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::cors::{Cors, Origins};

const PAGES: Cors = Cors {
    origins: Origins::Any,
    methods: "GET, PUT, POST, DELETE, OPTIONS",
    headers: "Authorization, Content-Type, X-Requested-With, Content-Length, Accept, Origin",
    exposed: "",
    max_age: "5184000",
};

/// The answer to a browser that asks what it may ask.
#[must_use]
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    PAGES.preflight(method, headers)
}

/// Lets a page of any origin read an answer.
pub fn allow(response: &mut Response) {
    PAGES.allow(None, response);
}

/// The same for paths of others that this protocol's clients are sent to.
pub async fn surround(request: Request, next: Next) -> Response {
    if let Some(answer) = preflight(request.method(), request.headers()) {
        return answer;
    }
    let mut response = next.run(request).await;
    allow(&mut response);
    response
}
