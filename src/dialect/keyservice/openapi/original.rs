//! What version 1 answers, as the original writes it. Times are texts such as
//! `/Date(1767323045123)/`.

use serde::Serialize;
use utoipa::ToSchema;

/// A box, as the original calls it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = KeyServiceOneKey)]
pub(super) struct CryptoKey {
    is_released: bool,
    #[schema(nullable, example = "MIICXAIBAAKB")]
    get_private_key: Option<String>,
    key_id: i64,
    #[schema(example = "0123456789abcdef")]
    key_token: String,
    #[schema(example = "MIGfMA0GCSqG")]
    public_key: String,
    #[schema(nullable, example = "MIICXAIBAAKB")]
    private_key: Option<String>,
    #[schema(nullable, example = "nQvD2Yw1hbE=")]
    private_key_hash: Option<String>,
    is_private_key_encrypted: bool,
    is_public_key_only: bool,
    #[schema(example = "/Date(1767323045123)/")]
    request_date: String,
    #[schema(example = "/Date(1767323045123)/")]
    release_date: String,
    #[schema(nullable, example = "/Date(1767323045123)/")]
    lock_date: Option<String>,
    delete_messages_after_reading: bool,
    delete_key_after_reading: bool,
    #[schema(example = json!(["owner@example.org"]))]
    notifications: Vec<String>,
    messages: Vec<Message>,
    messages_serialized: Vec<Message>,
    #[serde(rename = "URI")]
    #[schema(nullable, example = "https://gateway.example/keyservice#0123456789abcdef")]
    uri: Option<String>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = KeyServiceOneMessage)]
pub(super) struct Message {
    message_id: i64,
    #[schema(nullable, example = "c2VhbGVk")]
    encryption_key: Option<String>,
    #[schema(nullable, example = "c2VhbGVk")]
    message_data: Option<String>,
    #[schema(example = "/Date(1767323045123)/")]
    created: String,
    #[schema(nullable, example = "nQvD2Yw1hbE=")]
    message_hash: Option<String>,
    is_file: bool,
    #[schema(nullable, example = "0123456789abcdef")]
    temporary_download_id: Option<String>,
}
