//! Requests that ask for a socket go to a router of their own, so that a path such as `/` can be a
//! page for some and a socket for others. And the handshake, which is the same for all protocols.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::places::Place;
use super::wire::Wire;
use crate::domain::error::Fault;

/// Whether a request goes to the router of sockets.
#[must_use]
pub fn is_for_socket(request: &Request) -> bool {
    request.method() == Method::GET && asks_for_socket(request.headers())
}

/// Whether the headers ask for a change to the WebSocket protocol (RFC 6455, section 4.1).
#[must_use]
pub fn asks_for_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A connection that becomes a socket once the answer to its handshake has been written.
pub struct Upgrade(OnUpgrade);

/// Accepts a handshake (RFC 6455, section 4.2).
///
/// # Errors
/// [`Fault::Malformed`] when the request is none, or came over a connection that cannot change.
pub fn accept(request: &mut axum::http::Request<()>) -> Result<(Response, Upgrade), Fault> {
    let answer = create_response_with_body(request, Body::empty)
        .map_err(|error| Fault::malformed(format!("this is no handshake: {error}")))?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let upgrade =
        upgrade.ok_or_else(|| Fault::malformed("this connection cannot become a socket"))?;
    Ok((answer, Upgrade(upgrade)))
}

impl Upgrade {
    /// Waits for the connection. Messages on it have at most `frame_limit` bytes. `None` when it
    /// broke off before it was a socket, or has to end.
    pub async fn wire(self, place: &Place, frame_limit: usize) -> Option<Wire<TokioIo<Upgraded>>> {
        let io = tokio::select! {
            io = self.0 => io.ok()?,
            () = place.broken_off() => return None,
        };
        Some(Wire::new(TokioIo::new(io), frame_limit).await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;
    use crate::domain::ports::Entropy;
    use crate::http::layers::{self, Others, Place};

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    async fn status(method: Method, path: &str, upgrade: Option<&str>) -> StatusCode {
        let page = Router::new().route("/", get(async || StatusCode::OK));
        let page = page.route("/post", post(async || StatusCode::OK));
        let sockets = Router::new().route("/", get(async || StatusCode::SWITCHING_PROTOCOLS));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(upgrade) = upgrade {
            request = request.header(header::UPGRADE, upgrade);
        }
        let request = request.body(Body::empty()).unwrap_or_default();
        let other = Router::new().route("/v1/socket", get(async || StatusCode::ACCEPTED));
        let others = Others { below: vec![Place::below("/v1", other)], sockets: Some(sockets) };
        let router = layers::apply(page, others, Arc::new(Zeros), Arc::default());
        let answer = router.oneshot(request).await;
        answer.unwrap_or_else(|never| match never {}).status()
    }

    #[tokio::test]
    async fn a_path_can_be_a_page_and_a_socket() {
        assert_eq!(status(Method::GET, "/", None).await, StatusCode::OK);
        assert_eq!(status(Method::GET, "/", Some("h2c")).await, StatusCode::OK);
        let socket = status(Method::GET, "/", Some("WebSocket")).await;
        assert_eq!(socket, StatusCode::SWITCHING_PROTOCOLS);
    }

    #[tokio::test]
    async fn a_part_that_has_its_paths_to_itself_has_its_sockets_too() {
        for upgrade in [None, Some("websocket")] {
            let answer = async |path| status(Method::GET, path, upgrade).await;
            assert_eq!(answer("/v1/socket").await, StatusCode::ACCEPTED);
            assert_eq!(answer("/v1").await, StatusCode::NOT_FOUND);
            assert_eq!(answer("/v11/socket").await, StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn other_requests_stay_where_they_belong() {
        assert_eq!(status(Method::POST, "/post", Some("websocket")).await, StatusCode::OK);
        assert_eq!(status(Method::GET, "/x", Some("websocket")).await, StatusCode::NOT_FOUND);
    }
}
