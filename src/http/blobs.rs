//! `/blobs/{id}`: the bytes of attachments, for whoever has a signed URL.
//!
//! Uploads and downloads are streams: no file is ever in memory as a whole, and neither the limit
//! for the bodies of requests nor the ordinary patience holds here. The bytes come from strangers
//! and are encrypted; a browser that is led to them must make nothing of them.

mod address;
mod download;
mod pace;
mod range;
mod upload;
mod url;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts as Head;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::OpenApi;

use super::gate::Gate;
use super::path::PathPart;
use super::problem::{self, Problem};
use crate::domain::Fault;
use crate::domain::attachment::Files;
use crate::domain::ids::AttachmentId;
use crate::domain::limits::{Kind, Visitor};

pub use address::Addresses;
pub use pace::paced;
pub use upload::incoming;
pub use url::{BlobUrls, UrlKey};

/// How blobs are served.
#[derive(Clone, Copy, Debug)]
pub struct BlobSettings {
    /// Uploads at the same time.
    pub uploads: u32,
    /// Downloads at the same time.
    pub downloads: u32,
    /// How long an upload or a download may make no progress.
    pub stall: Duration,
}

/// What the handlers work with.
struct BlobState {
    gate: Arc<Gate>,
    files: Arc<Files>,
    urls: Arc<BlobUrls>,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    stall: Duration,
}

/// The one path.
pub fn router(
    gate: Arc<Gate>,
    files: Arc<Files>,
    urls: Arc<BlobUrls>,
    settings: BlobSettings,
) -> Router {
    let state = BlobState {
        gate,
        files,
        urls,
        uploads: Arc::new(Semaphore::new(settings.uploads as usize)),
        downloads: Arc::new(Semaphore::new(settings.downloads as usize)),
        stall: settings.stall,
    };
    Router::new()
        .route("/blobs/{id}", get(read).head(read_head).put(write))
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(Arc::new(state))
}

/// The path's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        paths(write, read, read_head),
        tags((name = "blobs", description = "The bytes of attachments; the URL is the credential")),
    )]
    struct Paths;
    Paths::openapi()
}

/// Upload the bytes of an attachment
///
/// At the `upload_url` of an attachment, without any other credential. Kept whole or not at all;
/// the same bytes again are answered as the first time, other bytes are refused. Errors are problem
/// documents (RFC 9457).
#[utoipa::path(
    put, path = "/blobs/{id}", tag = "blobs", operation_id = "upload_blob",
    params(
        ("id" = String, Path, description = "The attachment"),
        ("expires" = u64, Query, description = "Until when the URL is good, seconds since 1970"),
        ("size" = u64, Query, description = "How many bytes the upload may have"),
        ("signature" = String, Query, description = "The gateway's word for all of it"),
    ),
    request_body(content_type = "application/octet-stream", content = String, description = "The encrypted file"),
    responses(
        (status = 200, description = "The bytes are on disk.",
            headers(("ETag" = String, description = "Their SHA-256"))),
        (status = 400, description = "The upload broke off, or came too slowly.", content_type = "application/problem+json"),
        (status = 403, description = "The URL has expired, or was made for something else.", content_type = "application/problem+json"),
        (status = 404, description = "There is no such attachment any more.", content_type = "application/problem+json"),
        (status = 409, description = "Other bytes were uploaded before.", content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes, for one attachment or for the account, or too many files of the account.", content_type = "application/problem+json"),
        (status = 422, description = "There are no bytes.", content_type = "application/problem+json"),
        (status = 429, description = "Too many requests from this address; repeat after `Retry-After`.", content_type = "application/problem+json"),
        (status = 500, description = "A mistake of the gateway; its log has more.", content_type = "application/problem+json"),
        (status = 503, description = "No room, or too many uploads; nothing was kept. Repeat after `Retry-After`.", content_type = "application/problem+json"),
    ),
)]
async fn write(
    State(state): State<Arc<BlobState>>,
    PathPart(id): PathPart,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (id, most) = state.admit(&Method::PUT, &id, &head)?;
    let _place = place(&state.uploads)?;
    let bytes = incoming(body, most, state.stall);
    let content = state.files.upload(id, bytes).await?;
    Ok((StatusCode::OK, [(header::ETAG, download::etag(&content))]).into_response())
}

/// Download the bytes of an attachment
///
/// At the `view_url` of an attachment, without any other credential. One range may be asked for.
/// Errors are problem documents (RFC 9457).
#[utoipa::path(
    get, path = "/blobs/{id}", tag = "blobs", operation_id = "download_blob",
    params(
        ("id" = String, Path, description = "The attachment"),
        ("expires" = u64, Query, description = "Until when the URL is good, seconds since 1970"),
        ("size" = u64, Query, description = "0 in an address for downloading"),
        ("signature" = String, Query, description = "The gateway's word for all of it"),
        ("Range" = Option<String>, Header, description = "`bytes=first-last`, `bytes=first-` or `bytes=-length`"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` for which the range is meant"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s that the caller has"),
    ),
    responses(
        (status = 200, description = "All bytes.", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The range that was asked for.", content_type = "application/octet-stream", body = String),
        (status = 304, description = "The caller has them."),
        (status = 403, description = "The URL has expired, or was made for something else.", content_type = "application/problem+json"),
        (status = 404, description = "Nothing was uploaded, or it is gone.", content_type = "application/problem+json"),
        (status = 416, description = "The range lies behind the end; `Content-Range` has the length."),
        (status = 429, description = "Too many requests from this address; repeat after `Retry-After`.", content_type = "application/problem+json"),
        (status = 500, description = "A mistake of the gateway; its log has more.", content_type = "application/problem+json"),
        (status = 503, description = "Too many downloads; repeat after `Retry-After`.", content_type = "application/problem+json"),
    ),
)]
async fn read(
    State(state): State<Arc<BlobState>>,
    PathPart(id): PathPart,
    head: Head,
) -> Result<Response, Problem> {
    let (id, _) = state.admit(&Method::GET, &id, &head)?;
    let place = place(&state.downloads)?;
    let plan = download::plan(&state.files, id, &head.headers).await?;
    Ok(download::answer(&state.files, plan, state.stall, place).await?)
}

/// Ask for the size of an attachment
///
/// As `GET` without a range, and without the bytes.
#[utoipa::path(
    head, path = "/blobs/{id}", tag = "blobs", operation_id = "measure_blob",
    params(
        ("id" = String, Path, description = "The attachment"),
        ("expires" = u64, Query, description = "Until when the URL is good, seconds since 1970"),
        ("size" = u64, Query, description = "0 in an address for downloading"),
        ("signature" = String, Query, description = "The gateway's word for all of it"),
    ),
    responses(
        (status = 200, description = "`Content-Length` has the size."),
        (status = 304, description = "The caller has the bytes."),
        (status = 403, description = "The URL has expired, or was made for something else."),
        (status = 404, description = "Nothing was uploaded, or it is gone."),
        (status = 429, description = "Too many requests from this address."),
        (status = 500, description = "A mistake of the gateway; its log has more."),
        (status = 503, description = "Repeat after `Retry-After`."),
    ),
)]
async fn read_head(
    State(state): State<Arc<BlobState>>,
    PathPart(id): PathPart,
    mut head: Head,
) -> Result<Response, Problem> {
    // A range is defined for GET alone (RFC 9110, section 14.2).
    head.headers.remove(header::RANGE);
    let (id, _) = state.admit(&Method::GET, &id, &head)?;
    let plan = download::plan(&state.files, id, &head.headers).await?;
    Ok(download::head(&plan))
}

impl BlobState {
    /// The attachment that the URL is about, and how many bytes it allows.
    ///
    /// A URL that is not good is a stranger's, and counted as one.
    fn admit(
        &self,
        method: &Method,
        id: &str,
        request: &Head,
    ) -> Result<(AttachmentId, u64), Fault> {
        let address = self.gate.address(&request.extensions, &request.headers);
        self.gate.may_knock(address)?;
        let query = request.uri.query().unwrap_or_default();
        let checked = self.urls.check(method, id, query, self.files.now());
        match checked {
            Ok(checked) => {
                let visitor = Visitor { account: None, address };
                self.gate.limiter().take(&visitor, Kind::Requests, 1)?;
                Ok(checked)
            }
            Err(error) => {
                self.gate.stranger(address)?;
                Err(error.into())
            }
        }
    }
}

/// Some clients take 413 for a limit of their speed, and want to know when to come again.
pub async fn say_when(mut response: Response) -> Response {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from(60));
    }
    response
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    let place = places.clone().try_acquire_owned();
    place.map_err(|_| Fault::unavailable("too many files are on their way", None))
}

/// What a browser must know of bytes that it should make nothing of.
fn harmless(headers: &mut HeaderMap) {
    const NO_SNIFFING: header::HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (NO_SNIFFING, "nosniff"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
        (header::ACCEPT_RANGES, "bytes"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// An answer without a body.
fn empty() -> axum::body::Body {
    axum::body::Body::from(Bytes::new())
}
