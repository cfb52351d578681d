//! This dialect's part of the OpenAPI document.

/// The paths, types and credentials of this dialect.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    utoipa::openapi::OpenApi::default()
}
