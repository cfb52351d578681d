//! The collector to which spans go, as the library that gathers them asks it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use super::client::{AskError, Client, ClientError, ClientSettings, Post, Protocol};
use super::reach::Reach;
use crate::config::Telemetry;

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What spans are written as.
const PROTOBUF: &str = "application/x-protobuf";

/// Asks the collector. It is called on a thread that has no runtime of its own.
pub struct Collector {
    client: Client,
    runtime: Handle,
    authorization: String,
}

impl Collector {
    /// Whoever the operator wrote down; what is asked is done on the runtime that is current now.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn open(settings: &Telemetry) -> Result<Self, ClientError> {
        let client = Client::new(&ClientSettings {
            reach: Reach::anywhere(),
            protocol: Protocol::Any,
            at_once: 1,
            patience: PATIENCE,
        })?;
        let authorization = settings.otlp_authorization.reveal().to_owned();
        Ok(Self { client, runtime: Handle::current(), authorization })
    }

    fn post(&self, request: Request<Bytes>) -> Result<Post, AskError> {
        let (head, body) = request.into_parts();
        let post = Post::new(head.uri.to_string(), PROTOBUF, body.into());
        match self.authorization.as_str() {
            "" => Ok(post),
            authorization => post.header("authorization", authorization),
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, post) = (self.client.clone(), self.post(request)?);
        let answer = self.runtime.spawn(async move { client.post(post).await }).await??;
        Ok(Response::builder().status(answer.status).body(answer.body.into())?)
    }
}
