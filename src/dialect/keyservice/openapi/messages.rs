//! Messages and files.
#![expect(dead_code, reason = "carries descriptions; one handler takes all of them")]

use utoipa::OpenApi;

use super::bodies::{MessageForm, NewText};
use crate::dialect::keyservice::v2::answers::Left;

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(put, put_file, fetch, download, download_attachment))]
    struct Paths;
    Paths::openapi()
}

#[utoipa::path(
    put, path = "/Service", tag = "keyservice", operation_id = "leave_keyservice_message",
    summary = "Leave a message",
    description = "Whoever knows the token may, until the box is locked. In version 1 the gateway encrypts `message` and files, and keeps `encryptedmessage` as it is.",
    request_body(content(
        (NewText = "application/json"),
        (MessageForm = "application/x-www-form-urlencoded"),
        (MessageForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, body = bool, description = "Version 1: it is kept"),
        (status = 201, body = Left, description = "It is kept"),
        (status = 403, description = "The box takes no messages any more", content_type = "application/problem+json"),
    ),
)]
fn put() {}

#[utoipa::path(
    put, path = "/Service/File", tag = "keyservice", operation_id = "leave_keyservice_file",
    summary = "Leave a file",
    description = "Version 2. The sealed bytes of the file, of any length up to the limit; kept whole or not at all.",
    params(
        ("token" = String, Query, description = "The box; a header of that name will do"),
        ("encryptionkey" = String, Query, description = "The sealed key of this file, 92 bytes"),
        ("name" = String, Query, description = "Its sealed name, at most 1,024 bytes"),
        ("v" = String, Query, description = "`2`"),
    ),
    request_body(content_type = "application/octet-stream", content = String, description = "The sealed file"),
    responses(
        (status = 201, body = Left, description = "It is kept"),
        (status = 403, description = "The box takes no messages any more", content_type = "application/problem+json"),
    ),
)]
fn put_file() {}

#[utoipa::path(
    get, path = "/Service/File", tag = "keyservice", operation_id = "fetch_keyservice_file",
    summary = "Fetch a file",
    description = "Version 2. Where messages go after reading, the file is gone an hour after its last byte was sent; until then it can be fetched again.",
    params(
        ("token" = String, Query, description = "The box; a header of that name will do"),
        ("messageid" = String, Query, description = "The file"),
        ("v" = String, Query, description = "`2`"),
        ("authkey" = String, Header, description = "What proves the owner"),
    ),
    responses(
        (status = 200, body = String, content_type = "application/octet-stream", description = "The sealed file"),
        (status = 403, description = "It cannot be read yet; `releasedate` says when", content_type = "application/problem+json"),
    ),
)]
fn fetch() {}

#[utoipa::path(
    get, path = "/Home/GetFile", tag = "keyservice", operation_id = "download_keyservice_file",
    summary = "Fetch a file of version 1",
    description = "By the id that a list gave for it, for two minutes.",
    params(("fileid" = String, Query, description = "`TemporaryDownloadId`")),
    responses((status = 200, body = String, content_type = "application/octet-stream", description = "The file")),
)]
fn download() {}

#[utoipa::path(
    get, path = "/SelfDestruct/GetAttachment", tag = "keyservice", operation_id = "download_keyservice_attachment",
    summary = "Fetch the file of a letter of version 1",
    description = "By the id that reading the letter gave for it, for two minutes.",
    params(("fileid" = String, Query, description = "The file")),
    responses((status = 200, body = String, content_type = "application/octet-stream", description = "The file")),
)]
fn download_attachment() {}
