//! Attachments: where to upload an encrypted file, and where to download it.

use serde::{Deserialize, Serialize};

use super::ObjectType;
use crate::ids::AttachmentId;

/// An attachment, as `POST /attachments` makes it and `GET /attachments/{id}` shows it.
///
/// `Debug` leaves the addresses out: whoever has one needs no other credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// Always `attachment`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "attachment"))]
    pub kind: ObjectType,
    /// The attachment; to be sent inside a message, beside its key and its digest.
    pub attachment_id: AttachmentId,
    /// Where the encrypted bytes go with `PUT` and `application/octet-stream`, without any other
    /// credential, for a limited time. Shown to its owner, and only until the upload is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://gateway.example/blobs/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10?…")
    )]
    pub upload_url: Option<String>,
    /// Where the encrypted bytes are read with `GET`, without any other credential, for a limited
    /// time; ask for the attachment again to get a fresh address.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "https://gateway.example/blobs/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10?expires=1767323045&signature=c2ln"
        )
    )]
    pub view_url: String,
    /// When the attachment was made, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Attachment")
            .field("attachment_id", &self.attachment_id)
            .field("can_be_uploaded", &self.upload_url.is_some())
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    #[test]
    fn an_attachment_without_an_upload_address_has_no_such_member() {
        let shown = json!({
            "type": "attachment",
            "attachment_id": ID,
            "view_url": "http://localhost/blobs/1?secret",
            "created_at": "2025-03-01T12:00:00Z",
        });
        let attachment: Attachment = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(attachment.upload_url, None);
        assert_eq!(serde_json::to_value(&attachment).unwrap(), shown);
    }

    #[test]
    fn debug_shows_no_address() {
        let attachment: Attachment = serde_json::from_value(json!({
            "attachment_id": ID,
            "upload_url": "http://localhost/secret",
            "view_url": "http://localhost/secret",
        }))
        .unwrap();
        let shown = format!("{attachment:?}");
        assert!(shown.contains(ID) && !shown.contains("secret"), "{shown}");
    }
}
