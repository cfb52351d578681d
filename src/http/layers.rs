//! What surrounds every request: its id, a line in the log, a time limit, and a net for panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

use super::problem::{self, Problem};
use super::request_id::{self, RequestId};
use crate::domain::Fault;
use crate::domain::ports::Entropy;

/// How long requests may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A request.
    pub request: Duration,
    /// A request that waits for messages, a read of an inbox.
    pub poll: Duration,
}

/// Bounds the requests of a router, its fallback included: in time, and in what a panic can do.
/// What comes of it is a [`Problem`], which the protocol's own layer further outside may shape.
pub fn guard(router: Router, patience: Patience) -> Router {
    router.layer(from_fn_with_state(patience, limit_time)).layer(from_fn(catch_panic))
}

/// Puts the layers that all share around everything: problem documents for what no protocol has
/// shaped, the log, the request's id.
pub fn apply(router: Router, entropy: Arc<dyn Entropy>) -> Router {
    // The last layer is the outermost one.
    router
        .layer(from_fn(problem::write))
        .layer(from_fn(log_access))
        .layer(from_fn_with_state(entropy, request_id::layer))
}

/// Whether the request is a long poll: a read of somebody's `/inbox`, or of what has changed.
fn is_poll(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    request.method() == Method::GET
        && path.is_some_and(|path| ["/inbox", "/changes"].iter().any(|end| path.ends_with(end)))
}

async fn limit_time(
    State(patience): State<Patience>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let limit = if is_poll(&request) { patience.poll } else { patience.request };
    let answer = timeout(limit, next.run(request)).await;
    answer.map_err(|_| Fault::unavailable("the request took too long", None).into())
}

async fn catch_panic(request: Request, next: Next) -> Result<Response, Problem> {
    // Nothing that a panic may have left half done outlives the request: what requests share is
    // behind locks and channels that notice.
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.map_err(|panic| Fault::internal("handling a request", panic_text(&*panic)).into())
}

/// The text of a panic. Panics of ours hold no secrets: they are `expect`s with constant texts.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("no text"))
}

/// One line for each request, without its query: that may hold what is nobody else's business.
async fn log_access(request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let id = RequestId::of(&request);
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    let start = Instant::now();
    let response = next.run(request).await;
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, micros, request_id = %id, "request");
    response
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::http::request_id::X_REQUEST_ID;

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn layered(router: Router) -> Router {
        let seconds = Duration::from_secs;
        let patience = Patience { request: seconds(30), poll: seconds(90) };
        apply(guard(router, patience), Arc::new(Zeros))
    }

    async fn answer(router: Router, path: &str, id: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(id) = id {
            request = request.header(X_REQUEST_ID, id);
        }
        let request = request.body(Body::empty()).unwrap_or_default();
        layered(router).oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    #[tokio::test]
    async fn an_answer_echoes_the_callers_id() {
        let router = || Router::new().route("/", get(async || "hello"));
        let given = answer(router(), "/", Some("my-id")).await;
        assert_eq!(given.headers()[X_REQUEST_ID], "my-id");
        let made_up = answer(router(), "/nowhere", None).await;
        assert_eq!(made_up.headers()[X_REQUEST_ID], "00000000-0000-4000-8000-000000000000");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_of_its_own() {
        async fn broken() -> &'static str {
            panic!("a bug")
        }
        let answer = answer(Router::new().route("/", get(broken)), "/", None).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers().contains_key(X_REQUEST_ID));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_refused_and_a_poll_may_take_longer() {
        let router = || {
            let slow = get(pending::<&'static str>);
            Router::new().route("/slow", slow.clone()).route("/inbox", slow)
        };
        let start = Instant::now();
        let slow = answer(router(), "/slow", None).await;
        assert_eq!(slow.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), 30);
        let poll = answer(router(), "/inbox?wait=1000", None).await;
        assert_eq!(poll.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), 30 + 90);
    }
}
