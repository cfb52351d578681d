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
    #[schema(nullable)]
    get_private_key: Option<String>,
    key_id: i64,
    #[schema(example = "0123456789abcdef")]
    key_token: String,
    public_key: String,
    #[schema(nullable)]
    private_key: Option<String>,
    #[schema(nullable)]
    private_key_hash: Option<String>,
    is_private_key_encrypted: bool,
    is_public_key_only: bool,
    request_date: String,
    release_date: String,
    #[schema(nullable)]
    lock_date: Option<String>,
    delete_messages_after_reading: bool,
    delete_key_after_reading: bool,
    notifications: Vec<String>,
    messages: Vec<Message>,
    messages_serialized: Vec<Message>,
    #[serde(rename = "URI")]
    #[schema(nullable)]
    uri: Option<String>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = KeyServiceOneMessage)]
pub(super) struct Message {
    message_id: i64,
    #[schema(nullable)]
    encryption_key: Option<String>,
    #[schema(nullable)]
    message_data: Option<String>,
    created: String,
    #[schema(nullable)]
    message_hash: Option<String>,
    is_file: bool,
    #[schema(nullable)]
    temporary_download_id: Option<String>,
}
