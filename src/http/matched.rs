//! Which route a request met, told with the answer: a router that is one of several knows its routes
//! by itself, and the layer that all protocols share stands outside of it.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// A layer that notes the request's route with its answer.
pub async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    note(route, &mut response);
    response
}

/// Notes the route with the answer, for the log and the count of answers; nothing where there is none.
pub fn note(route: Option<MatchedPath>, response: &mut Response) {
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
}
