//! Boxes: making, reading, deleting.
#![expect(dead_code, reason = "carries descriptions; one handler takes all of them")]

use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::bodies::{KeyForm, NewBox};
use super::original::{CryptoKey, Message};
use crate::dialect::keyservice::v2::answers::{Deleted, Made, Messages, Record};

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(create, create_kept, read, delete, describe, page))]
    struct Paths;
    Paths::openapi()
}

/// What `POST /Service` finds or makes.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = KeyServiceKept)]
enum Kept {
    Two(Made),
    One(CryptoKey),
}

/// What `GET /Service` finds.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = KeyServiceFound)]
enum Found {
    Record(Record),
    Messages(Messages),
    One(Vec<Message>),
}

/// What a box that was deleted is answered by.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = KeyServiceGone)]
enum Gone {
    Two(Deleted),
    #[schema(example = "Deleted.")]
    One(String),
}

#[utoipa::path(
    post, path = "/Service", tag = "keyservice", operation_id = "create_keyservice_box",
    summary = "Make a drop box",
    description = "In version 2 the token follows from `publickey` and `kdf`, so that whoever has it can check both; the same request again finds the same box. In version 1 the gateway makes a key from a passphrase, which it gets to see, or takes one.",
    request_body(content((NewBox = "application/json"), (KeyForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Kept, description = "Version 2: the box that the same request made before. Version 1: the key"),
        (status = 201, body = Made, description = "The box"),
        (status = 409, description = "Another box was made of this public key and kdf", content_type = "application/problem+json"),
    ),
)]
fn create() {}

#[utoipa::path(
    post, path = "/Service/Create", tag = "keyservice", operation_id = "create_kept_keyservice_box",
    summary = "Make a drop box of version 1",
    description = "As `POST /Service`; the original keeps the private key's hash here alone.",
    request_body(content = KeyForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = CryptoKey, description = "The key")),
)]
fn create_kept() {}

#[utoipa::path(
    get, path = "/Service", tag = "keyservice", operation_id = "read_keyservice_box",
    summary = "Look at a drop box, or read what is in it",
    description = "Version 2: without `authkey` what writers need to know; with it the messages, oldest first, for the owner. Messages of a box that was made so go as they are read, each to one reader, however many read at once; files go an hour after they were fetched. Version 1: the messages, decrypted with a passphrase or encrypted with the private key's hash.",
    params(
        ("token" = String, Query, description = "The box; a header of that name will do"),
        ("v" = Option<String>, Query, description = "The version"),
        ("after" = Option<String>, Query, description = "Begin after this message. Version 2: if it is not in the box any more, with the oldest"),
        ("limit" = Option<u32>, Query, description = "Messages in the answer, 1 to 1000; 100 otherwise. Version 2"),
        ("authkey" = Option<String>, Header, description = "Version 2: what proves the owner"),
        ("passphrase" = Option<String>, Header, description = "Version 1: the same"),
        ("privatekeyhash" = Option<String>, Header, description = "Version 1: the same without a passphrase"),
    ),
    responses(
        (status = 200, body = Found, description = "What was asked for"),
        (status = 304, description = "Version 1: there is nothing in it"),
        (status = 403, description = "It cannot be read yet; `releasedate` says when", content_type = "application/problem+json"),
    ),
)]
fn read() {}

#[utoipa::path(
    delete, path = "/Service", tag = "keyservice", operation_id = "delete_keyservice_box",
    summary = "Delete a drop box, or a message in it",
    description = "A `messageid` that is there and cannot be one is refused, and never deletes the box; in version 2 nor does a member of any other name.",
    params(
        ("token" = String, Query, description = "The box; a header of that name will do"),
        ("messageid" = Option<String>, Query, description = "A message; all of the box otherwise"),
        ("v" = Option<String>, Query, description = "The version"),
        ("authkey" = Option<String>, Header, description = "Version 2: what proves the owner"),
        ("passphrase" = Option<String>, Header, description = "Version 1: the same"),
        ("privatekeyhash" = Option<String>, Header, description = "Version 1: the same without a passphrase"),
    ),
    responses(
        (status = 200, body = Gone, description = "It is gone; version 1 says `Deleted.`"),
        (status = 403, description = "No message of it can be deleted yet; `releasedate` says when", content_type = "application/problem+json"),
    ),
)]
fn delete() {}

#[utoipa::path(
    get, path = "/Service/GetToken", tag = "keyservice", operation_id = "describe_keyservice_box",
    summary = "Look at a drop box of version 1",
    description = "The public part of a key.",
    params(("token" = String, Query, description = "The box")),
    responses((status = 200, body = CryptoKey, description = "The key")),
)]
fn describe() {}

#[utoipa::path(
    get, path = "/keyservice", tag = "keyservice", operation_id = "show_keyservice_page",
    summary = "The page for people",
    description = "Makes boxes, leaves and reads messages; everything is sealed and opened in the browser. The link to a box is `/keyservice#` and its token.",
    responses((status = 200, body = String, content_type = "text/html", description = "The page")),
)]
fn page() {}
