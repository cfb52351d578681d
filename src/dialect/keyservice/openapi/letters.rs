//! Letters.
#![expect(dead_code, reason = "carries descriptions; one handler takes all of them")]

use utoipa::OpenApi;

use super::bodies::{LetterForm, NewLetter, TakeForm, TakeLetter};
use crate::dialect::keyservice::v2::answers::{LetterLeft, LetterTaken};

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(leave, show, take_by_form, take))]
    struct Paths;
    Paths::openapi()
}

#[utoipa::path(
    post, path = "/Service/SelfDestruct", tag = "keyservice", operation_id = "leave_keyservice_letter",
    summary = "Leave a letter that is gone once it was read",
    description = "In version 2 its writer hands the link over, `/selfdestruct/read#2.<messageid>.<secret>`; the gateway never sees the secret. In version 1 the gateway mails it, or answers it where it sends no mail.",
    request_body(content((NewLetter = "application/json"), (LetterForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = serde_json::Value, description = "Version 1: `true`, or the link"),
        (status = 201, body = LetterLeft, description = "It is kept"),
    ),
)]
fn leave() {}

#[utoipa::path(
    get, path = "/SelfDestruct/Read", tag = "keyservice", operation_id = "show_keyservice_letter",
    summary = "The page of a letter",
    description = "A page with a button. Looking at it destroys nothing.",
    responses((status = 200, body = String, content_type = "text/html", description = "The page")),
)]
fn show() {}

#[utoipa::path(
    post, path = "/SelfDestruct/Read", tag = "keyservice", operation_id = "take_keyservice_letter_by_form",
    summary = "Read a letter of version 1, which is gone then",
    description = "What the button of the page does.",
    request_body(content = TakeForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/html", description = "The letter")),
)]
fn take_by_form() {}

#[utoipa::path(
    post, path = "/SelfDestruct/Take", tag = "keyservice", operation_id = "take_keyservice_letter",
    summary = "Read a letter of version 2, which is gone then",
    description = "However many ask at once, one of them gets it. A wrong key destroys nothing.",
    params(
        ("v" = String, Query, description = "`2`"),
        ("authkey" = String, Header, description = "What follows from the link's secret"),
    ),
    request_body(content = TakeLetter),
    responses((status = 200, body = LetterTaken, description = "The letter")),
)]
fn take() {}
