//! The answers of version 2, as JSON.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::Encoded;

use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{DropBox, Form, Letter};

/// Bytes as version 2 writes them.
pub(super) fn encoded(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A box, for whoever made it.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceBox)]
pub(in crate::dialect::keyservice) struct Made {
    /// What it is found by: whoever knows it may leave messages.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    token: String,
    #[schema(value_type = String, format = DateTime)]
    createdat: String,
    /// Before that nobody may read.
    #[schema(value_type = Option<String>, format = DateTime)]
    releasedate: Option<String>,
    /// From then on nothing can be left any more.
    #[schema(value_type = String, format = DateTime)]
    lockdate: String,
    /// From then on the box is gone.
    #[schema(value_type = String, format = DateTime)]
    expiresat: String,
    deletemessagesafterreading: bool,
    deletekeyafterreading: bool,
}

impl Made {
    pub(super) fn of(made: &DropBox) -> Self {
        let content = &made.content;
        Self {
            token: content.token.to_string(),
            createdat: content.created_at.to_string(),
            releasedate: content.release_at.map(|at| at.to_string()),
            lockdate: content.lock_at.to_string(),
            expiresat: content.ends_at.to_string(),
            deletemessagesafterreading: content.after_reading.messages_go,
            deletekeyafterreading: content.after_reading.box_goes,
        }
    }
}

/// What anybody may know of a box who knows its token.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceRecord)]
pub(in crate::dialect::keyservice) struct Record {
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    token: String,
    /// An X25519 key as SPKI (RFC 8410).
    #[schema(example = "MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo")]
    publickey: String,
    /// How its owner's keys follow from a passphrase.
    #[schema(example = "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw")]
    kdf: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    releasedate: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    lockdate: String,
    #[schema(value_type = String, format = DateTime)]
    expiresat: String,
}

impl Record {
    pub(super) fn of(found: &DropBox) -> Self {
        let content = &found.content;
        Self {
            token: content.token.to_string(),
            publickey: encoded(&content.public_key),
            kdf: content.kdf.clone().unwrap_or_default(),
            releasedate: content.release_at.map(|at| at.to_string()),
            lockdate: content.lock_at.to_string(),
            expiresat: content.ends_at.to_string(),
        }
    }
}

/// What is in a box, for its owner.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceMessages)]
pub(in crate::dialect::keyservice) struct Messages {
    /// The private key, sealed by its owner.
    #[schema(value_type = String, example = "AAECAwQFBgcICQoL")]
    pub(super) privatekey: Encoded,
    /// Oldest first.
    pub(super) messages: Vec<Message>,
    /// Whether there are more after these.
    pub(super) more: bool,
    /// Whether these texts are gone from the gateway now; files are an hour after they were fetched.
    pub(super) deletemessagesafterreading: bool,
}

/// One message of a box.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceMessage)]
pub(in crate::dialect::keyservice) struct Message {
    #[schema(example = "00112233445566778899aabbccddeeff")]
    messageid: String,
    kind: Kind,
    #[schema(value_type = String, format = DateTime)]
    createdat: String,
    #[schema(value_type = String, format = DateTime)]
    expiresat: String,
    /// The sealed key of this message.
    #[schema(value_type = String, example = "AAECAwQFBgcICQoL")]
    encryptionkey: Encoded,
    /// The sealed text; a message alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "AAECAwQFBgcICQoL")]
    message: Option<Encoded>,
    /// The sealed name; a file alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "AAECAwQFBgcICQoL")]
    name: Option<Encoded>,
    /// Bytes of the sealed file; a file alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

/// What a message is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyServiceKind)]
pub(in crate::dialect::keyservice) enum Kind {
    /// A text.
    Message,
    /// A file, whose bytes are fetched by themselves.
    File,
}

impl Message {
    pub(super) fn of(content: NewDropMessage) -> Self {
        let is_file = content.form == Form::File;
        Self {
            messageid: content.id.to_string(),
            kind: if is_file { Kind::File } else { Kind::Message },
            createdat: content.created_at.to_string(),
            expiresat: content.ends_at.to_string(),
            encryptionkey: Encoded(content.encryption_key),
            message: (!is_file).then_some(Encoded(content.data)),
            name: is_file.then_some(Encoded(content.name)),
            length: content.file.map(|file| file.length),
        }
    }

    /// About as many bytes does it have in a list, or somewhat less.
    pub(super) fn length(&self) -> usize {
        const AROUND: usize = 256;
        let of = |bytes: &Option<Encoded>| bytes.as_ref().map_or(0, Encoded::length);
        AROUND + self.encryptionkey.length() + of(&self.message) + of(&self.name)
    }
}

/// A message that was left.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceLeft)]
pub(in crate::dialect::keyservice) struct Left {
    #[schema(example = "00112233445566778899aabbccddeeff")]
    messageid: String,
    #[schema(value_type = String, format = DateTime)]
    createdat: String,
    #[schema(value_type = String, format = DateTime)]
    expiresat: String,
    /// Bytes of the file; a file alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

impl Left {
    pub(super) fn of(content: &NewDropMessage) -> Self {
        Self {
            messageid: content.id.to_string(),
            createdat: content.created_at.to_string(),
            expiresat: content.ends_at.to_string(),
            length: content.file.map(|file| file.length),
        }
    }
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceDeleted)]
pub(in crate::dialect::keyservice) struct Deleted {
    /// `message` or `box`.
    #[schema(example = "message")]
    pub(super) deleted: &'static str,
}

/// A letter that was left.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceLetterLeft)]
pub(in crate::dialect::keyservice) struct LetterLeft {
    #[schema(example = "00112233445566778899aabbccddeeff")]
    messageid: String,
    #[schema(value_type = String, format = DateTime)]
    expiresat: String,
    /// Never: whoever wrote a letter hands its link over.
    mailed: bool,
}

impl LetterLeft {
    pub(super) fn of(letter: &Letter) -> Self {
        Self {
            messageid: letter.id.to_string(),
            expiresat: letter.ends_at.to_string(),
            mailed: false,
        }
    }
}

/// A letter that is gone now.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyServiceLetter)]
pub(in crate::dialect::keyservice) struct LetterTaken {
    /// The sealed text.
    #[schema(example = "AAECAwQFBgcICQoL")]
    message: String,
    #[schema(value_type = String, format = DateTime)]
    createdat: String,
}

impl LetterTaken {
    pub(super) fn of(letter: &Letter) -> Self {
        Self { message: encoded(&letter.data), createdat: letter.created_at.to_string() }
    }
}
