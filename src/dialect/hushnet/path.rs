//! Parts of paths: ids, which are UUIDs.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use sealpost_sdk::ids::Id;

use super::error::Refusal;
use crate::domain::error::Fault;

/// The one variable part of a path, an id.
#[derive(Clone, Copy, Debug)]
pub struct PathId<Kind>(pub Id<Kind>);

/// The two variable parts of a path, both ids.
#[derive(Clone, Copy, Debug)]
pub struct PathIds<First, Second>(pub Id<First>, pub Id<Second>);

/// The one variable part of a path, any text.
#[derive(Clone, Debug)]
pub struct PathText(pub String);

impl<S: Send + Sync, Kind> FromRequestParts<S> for PathId<Kind> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let PathText(text) = PathText::from_request_parts(parts, state).await?;
        Ok(Self(id(&text)?))
    }
}

impl<S: Send + Sync, First, Second> FromRequestParts<S> for PathIds<First, Second> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let found = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = found.map_err(|_| no_text())?;
        Ok(Self(id(&first)?, id(&second)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(no_text()),
        }
    }
}

fn id<Kind>(text: &str) -> Result<Id<Kind>, Refusal> {
    Id::parse(text).map_err(|_| bad("Invalid URL: a part of the path is no UUID"))
}

fn no_text() -> Refusal {
    bad("Invalid URL: the path is no UTF-8 once it is decoded")
}

fn bad(text: &'static str) -> Refusal {
    Refusal::plain(Fault::malformed(text), StatusCode::BAD_REQUEST, text)
}
