//! The message that tells its reader of a file.

use serde::{Deserialize, Serialize};

use crate::attachment::AttachmentKey;
use crate::base64url;
use crate::category;
use crate::ids::AttachmentId;

use super::super::content::Content;
use super::super::incoming::Incoming;
use super::super::sender::SenderProof;
use super::Attachment;

/// A file, as a message describes it. Sent as `ENCRYPTED_DATA`.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is, and its key.
    pub attachment: Attachment,
    /// What its sender calls it. Not a path to be written to as it is.
    pub name: String,
    /// What its sender says that is in it, for example `image/png`.
    pub mime_type: String,
}

/// Inside the envelope, as Mixin's clients have it.
#[derive(Serialize, Deserialize)]
struct Body {
    attachment_id: AttachmentId,
    key: String,
    digest: String,
    size: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    mime_type: String,
}

impl File {
    /// A file that was uploaded.
    pub fn new(
        attachment: Attachment,
        name: impl Into<String>,
        mime_type: impl Into<String>,
    ) -> Self {
        Self { attachment, name: name.into(), mime_type: mime_type.into() }
    }
}

impl From<File> for Content {
    fn from(file: File) -> Self {
        let body = Body {
            attachment_id: file.attachment.id,
            key: base64url::encode(file.attachment.key.to_bytes().as_slice()),
            digest: base64url::encode(&file.attachment.digest),
            size: file.attachment.size,
            name: file.name,
            mime_type: file.mime_type,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        Self::of(category::ENCRYPTED_DATA, json)
    }
}

impl Incoming {
    /// The file that an encrypted message tells of: any file (`ENCRYPTED_DATA`), a picture, a sound
    /// or a film.
    ///
    /// `None` for everything else, and for a message that only the gateway's word connects with its
    /// sender.
    #[must_use]
    pub fn file(&self) -> Option<File> {
        let kinds = [
            category::ENCRYPTED_DATA,
            category::ENCRYPTED_IMAGE,
            category::ENCRYPTED_AUDIO,
            category::ENCRYPTED_VIDEO,
        ];
        if !kinds.contains(&&*self.category) || self.proof == SenderProof::GatewaysWord {
            return None;
        }
        let body: Body = serde_json::from_slice(&self.bytes).ok()?;
        let key = zeroize::Zeroizing::new(base64url::decode(&body.key).ok()?);
        let key: &[u8; 64] = key.as_slice().try_into().ok()?;
        let attachment = Attachment {
            id: body.attachment_id,
            key: AttachmentKey::from_bytes(key),
            digest: base64url::decode(&body.digest).ok()?.try_into().ok()?,
            size: body.size,
        };
        Some(File { attachment, name: body.name, mime_type: body.mime_type })
    }
}
