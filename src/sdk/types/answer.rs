//! The frame around every answer: `{"data": …}` or `{"error": …}`.

use serde::{Deserialize, Serialize};

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ApiError,
}

/// What went wrong, for programs (`code`) and for people (`description`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiError {
    /// The HTTP status that the failure has, whatever status the answer itself carries.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = 422))]
    pub status: u16,
    /// A stable number for programs.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = 10002))]
    pub code: u32,
    /// A sentence for people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "The request has an invalid field."))]
    pub description: String,
    /// Which field it is about and why, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<ErrorExtra>,
}

/// The field that an error is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorExtra {
    /// Name of the member in the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "checksum"))]
    pub field: String,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "must be 32 lower-case hex digits"))]
    pub reason: String,
    /// Seconds after which to try again, where there is no header to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// The reason in the `error` of a message that cannot be taken now, since its recipient has no live
/// session or a full inbox. Over HTTP a receipt says so.
pub const DEFERRED: &str = "deferred";
