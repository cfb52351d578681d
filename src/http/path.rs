//! Parts of a path, with a fault in place of a plain-text rejection.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::Problem;
use crate::domain::Fault;

/// The one variable part of a path, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Fault::invalid("path", "is no UTF-8 once it is decoded").into()),
        }
    }
}

/// The three variable parts of a path, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTriple(pub String, pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathTriple {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path((first, second, third))) => Ok(Self(first, second, third)),
            Err(_) => Err(Fault::invalid("path", "is no UTF-8 once it is decoded").into()),
        }
    }
}

/// The two variable parts of a path, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPair(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path((first, second))) => Ok(Self(first, second)),
            Err(_) => Err(Fault::invalid("path", "is no UTF-8 once it is decoded").into()),
        }
    }
}
