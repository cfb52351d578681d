//! The other side of the operator's API: how a command asks.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::http::problem::Document;

/// How long an answer may take; the longest wait inside is the database's.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the operator's API is.
#[derive(Clone)]
pub enum AdminClient {
    /// In a running gateway, behind its socket.
    Socket(PathBuf),
    /// In this very process.
    Local(Router),
}

/// Why an operator's request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answers at the socket.
    #[error("nobody answers at {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the gateway broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer came in time.
    #[error("the gateway did not answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    /// The gateway refused.
    #[error("the gateway refused: {} ({})", document.detail, document.code)]
    Refused {
        /// In its own words.
        document: Box<Document>,
    },
    /// The answer is none of ours.
    #[error("the gateway's answer ({status}) cannot be read")]
    Unreadable {
        /// Its status.
        status: StatusCode,
        /// What is wrong with its body.
        #[source]
        source: serde_json::Error,
    },
}

impl AdminClient {
    /// Asks without a body.
    ///
    /// # Errors
    /// When there is no answer, and when it is a refusal.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let body = self.call(request(Method::GET, path, Body::empty())).await?;
        read(StatusCode::OK, &body)
    }

    /// Asks with a JSON body.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        // What we send are structures of texts and numbers, which always serialise.
        let json = serde_json::to_vec(body).unwrap_or_default();
        let body = self.call(request(Method::POST, path, json.into())).await?;
        read(StatusCode::CREATED, &body)
    }

    /// Asks to put a JSON body in the place of what is there.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        // As in `post`.
        let json = serde_json::to_vec(body).unwrap_or_default();
        let body = self.call(request(Method::PUT, path, json.into())).await?;
        read(StatusCode::OK, &body)
    }

    /// Asks to delete; the answer is empty.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete(&self, path: &str) -> Result<(), CallError> {
        self.call(request(Method::DELETE, path, Body::empty())).await.map(drop)
    }

    /// Orders something that needs no words; the answer is empty.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn order(&self, path: &str) -> Result<(), CallError> {
        self.call(request(Method::POST, path, Body::empty())).await.map(drop)
    }

    async fn call(&self, request: Request<Body>) -> Result<Bytes, CallError> {
        let answer = async {
            let response = match self {
                Self::Socket(path) => over_socket(path, request).await?,
                Self::Local(router) => in_process(router.clone(), request).await,
            };
            let status = response.status();
            let body = response.into_body().collect().await;
            let body = body.map_err(|error| CallError::Broken(error.into()))?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            let document = Box::new(read(status, &body)?);
            Err(CallError::Refused { document })
        };
        timeout(PATIENCE, answer).await.unwrap_or(Err(CallError::Silent))
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => f.debug_tuple("Socket").field(path).finish(),
            Self::Local(_) => f.write_str("Local(..)"),
        }
    }
}

fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // Paths are constants of ours with ids in them.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let header = axum::http::HeaderValue::from_static;
    request.headers_mut().insert(CONTENT_TYPE, header("application/json"));
    request.headers_mut().insert(HOST, header("sealpost"));
    request
}

async fn in_process(router: Router, request: Request<Body>) -> Response<Body> {
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

async fn over_socket(path: &PathBuf, request: Request<Body>) -> Result<Response<Body>, CallError> {
    let connect_error = |source| CallError::Connect { socket: path.clone(), source };
    let stream = UnixStream::connect(path).await.map_err(connect_error)?;
    let broken = |error: hyper::Error| CallError::Broken(error.into());
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    // Ends with the answer; a failure shows itself there.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(response.map(Body::new))
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &Bytes) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|source| CallError::Unreadable { status, source })
}
