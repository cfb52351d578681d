//! Version 2: the gateway sees public keys, sealed messages and digests alone.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /Service` | a new box |
//! | `GET /Service?token=` | what its writers need |
//! | the same with the header `authkey` | what is in it, for its owner |
//! | `PUT /Service` | leaves a text |
//! | `PUT /Service/File?token=&encryptionkey=&name=` | leaves a file |
//! | `GET /Service/File?token=&messageid=` with `authkey` | a file, for its owner |
//! | `DELETE /Service?token=[&messageid=]` with `authkey` | a message or the box goes |
//! | `POST /Service/SelfDestruct` | leaves a letter |
//! | `POST /SelfDestruct/Take` with `authkey` | reads a letter, which is gone then |
//!
//! Each has `v=2` in its query or as a header. Binary members are base64url without padding, times
//! are RFC 3339 in UTC, failures are problem documents.

pub(super) mod answers;
mod create;
mod delete;
mod file;
mod key;
mod letter;
mod list;
mod parameters;
mod put;
mod read;
mod refusal;

pub(super) use refusal::{ReleaseDate, not_released, shape_fault, wrong_method};

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use super::asked::{Asked, Operation};
use super::{KeyServiceState, page};
use crate::domain::dropbox::{BoxToken, DropBox, SecretDigest};
use crate::domain::error::Fault;
use parameters::Parameters;
use refusal::Refusal;

/// One request of this version.
struct Call {
    state: Arc<KeyServiceState>,
    asked: Asked,
    parts: Parts,
}

/// The answer to a request of this version.
pub(super) async fn answer(
    state: Arc<KeyServiceState>,
    asked: Asked,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { state, asked, parts };
    let answer = answer_to(&call, body).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

async fn answer_to(call: &Call, body: Body) -> Result<Response, Refusal> {
    if !call.is_at_path_of_this_version() {
        return Err(Fault::NotFound { what: "path" }.into());
    }
    match call.asked.operation {
        Operation::Create => create::create(call, body).await,
        Operation::Put => put::put(call, body).await,
        Operation::Read => read::read(call).await,
        Operation::Delete => delete::delete(call, body).await,
        Operation::File if call.parts.method == Method::PUT => file::put(call, body).await,
        Operation::File => file::fetch(call).await,
        Operation::LeaveLetter => letter::leave(call, body).await,
        Operation::TakeLetter => letter::take(call, body).await,
        Operation::ShowLetter => Ok(page::letter(call.parts.uri.path(), &call.parts.headers)),
        Operation::Describe | Operation::Download => Err(Fault::NotFound { what: "path" }.into()),
    }
}

impl Call {
    /// The original has further paths for what these do.
    fn is_at_path_of_this_version(&self) -> bool {
        let path = self.parts.uri.path().trim_end_matches('/');
        [
            "/service",
            "/service/file",
            "/service/selfdestruct",
            "/selfdestruct/read",
            "/selfdestruct/take",
        ]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(path))
    }

    /// What an owner proves itself by: 32 bytes, in the header `authkey` alone, since queries end up
    /// in logs.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is written otherwise.
    fn auth_key(&self) -> Result<Option<Zeroizing<[u8; 32]>>, Fault> {
        let Some(header) = self.parts.headers.get("authkey") else { return Ok(None) };
        let key = header.to_str().ok().and_then(|text| parameters::decoded(text.trim()));
        let key = key.map(Zeroizing::new);
        let key = key.and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        let refused = || Fault::invalid("authkey", "must be 32 bytes in base64url without padding");
        key.map(|key| Some(Zeroizing::new(key))).ok_or_else(refused)
    }

    /// The same where there has to be one.
    fn needed_auth_key(&self) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let refused = || Fault::invalid("authkey", "is needed, as a header");
        self.auth_key()?.ok_or_else(refused)
    }

    /// The box with this token, for whoever has its key; it takes as long to find out that there is
    /// no such box.
    async fn owned(&self, token: BoxToken, key: &[u8; 32]) -> Result<DropBox, Fault> {
        let nobodys = SecretDigest::from_bytes([0; 32]);
        let proves = |found: Option<&DropBox>| {
            let kept = found.and_then(|found| found.content.secret).unwrap_or(nobodys);
            kept.proves(key).then_some(())
        };
        let (owned, ()) = self.state.depot.owned(&token, self.asked.address, proves).await?;
        Ok(owned)
    }

    /// A body of JSON, and what else the request says.
    async fn said(&self, body: Body) -> Result<Parameters, Fault> {
        Parameters::read(&self.state, &self.asked, &self.parts, body).await
    }

    /// What the request says without a body.
    fn said_by_head(&self) -> Result<Parameters, Fault> {
        Parameters::of_head(&self.parts)
    }
}

/// An answer of JSON. Nobody keeps one: what it says may be gone in a moment.
fn json(status: StatusCode, answer: &impl serde::Serialize) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, axum::Json(answer)).into_response()
}
