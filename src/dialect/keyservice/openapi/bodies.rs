//! What clients send.
#![expect(dead_code, reason = "types that describe what is read member by member")]

use utoipa::ToSchema;

/// A box of version 2.
#[derive(ToSchema)]
#[schema(as = KeyServiceNewBox)]
pub(super) struct NewBox {
    /// An X25519 key as SPKI (RFC 8410), 44 bytes.
    #[schema(example = "MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo")]
    publickey: String,
    /// How the owner's keys follow from a passphrase: `argon2id:m=<KiB>,t=<passes>,p=<lanes>:<salt>` or
    /// `pbkdf2-sha256:i=<iterations>:<salt>`.
    #[schema(example = "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw")]
    kdf: String,
    /// The private key, sealed by its owner, 76 bytes.
    #[schema(example = "AAECAwQFBgcICQoL")]
    privatekey: String,
    /// The SHA-256 of the key that proves the owner.
    #[schema(example = "AAECAwQFBgcICQoL")]
    authdigest: String,
    /// Before that nobody may read.
    #[schema(format = DateTime, nullable)]
    releasedate: Option<String>,
    /// From then on nothing can be left any more; 30 days from now, or from the release date,
    /// otherwise.
    #[schema(format = DateTime, nullable)]
    lockdate: Option<String>,
    /// Whether messages go once they were read.
    deletemessagesafterreading: Option<bool>,
    /// Whether the box goes an hour after all of it was read.
    deletekeyafterreading: Option<bool>,
    /// Who is told by mail that something came.
    #[schema(example = "anna@example.org")]
    email: Option<String>,
}

/// A text for a box of version 2.
#[derive(ToSchema)]
#[schema(as = KeyServiceNewText)]
pub(super) struct NewText {
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    token: String,
    /// The sealed text.
    #[schema(example = "AAECAwQFBgcICQoL")]
    message: String,
    /// The sealed key of this message, 92 bytes.
    #[schema(example = "AAECAwQFBgcICQoL")]
    encryptionkey: String,
}

/// A letter of version 2.
#[derive(ToSchema)]
#[schema(as = KeyServiceNewLetter)]
pub(super) struct NewLetter {
    /// The sealed text.
    #[schema(example = "AAECAwQFBgcICQoL")]
    message: String,
    /// The SHA-256 of the key that its reader shows.
    #[schema(example = "AAECAwQFBgcICQoL")]
    authdigest: String,
    /// Seconds that it waits, 60 to 2,592,000; a week otherwise.
    #[schema(example = 604_800)]
    expiresin: Option<u64>,
}

/// A letter of version 2 that is to be taken.
#[derive(ToSchema)]
#[schema(as = KeyServiceTakenLetter)]
pub(super) struct TakeLetter {
    #[schema(example = "00112233445566778899aabbccddeeff")]
    messageid: String,
}

/// A box of version 1: a passphrase, from which the gateway makes a key, or a key.
#[derive(ToSchema)]
#[schema(as = KeyServiceOneKeyForm)]
pub(super) struct KeyForm {
    #[schema(example = "correct horse")]
    passphrase: Option<String>,
    /// RSA, as XML or PEM.
    publickey: Option<String>,
    privatekey: Option<String>,
    privatekeyhash: Option<String>,
    releasedate: Option<String>,
    lockdate: Option<String>,
    deletemessagesafterreading: Option<bool>,
    deletekeyafterreading: Option<bool>,
    email: Option<String>,
}

/// Messages for a box of version 1: texts in the clear or encrypted, or files as parts of
/// `multipart/form-data`.
#[derive(ToSchema)]
#[schema(as = KeyServiceOneMessageForm)]
pub(super) struct MessageForm {
    #[schema(example = "0123456789abcdef")]
    token: String,
    message: Option<String>,
    encryptedmessage: Option<String>,
    encryptionkey: Option<String>,
}

/// A letter of version 1.
#[derive(ToSchema)]
#[schema(as = KeyServiceOneLetterForm)]
pub(super) struct LetterForm {
    message: String,
    #[schema(example = "anna@example.org")]
    email: String,
    /// A file in base64.
    attachment: Option<String>,
    attachmentname: Option<String>,
}

/// A letter of version 1 that is to be read: what its link has.
#[derive(ToSchema)]
#[schema(as = KeyServiceOneTakenLetter)]
pub(super) struct TakeForm {
    #[schema(example = "00112233445566778899aabbccddeeff")]
    messageid: String,
    #[schema(example = "correct horse")]
    passphrase: String,
    /// The text's hash, with which the page tells whether it is the one that was written.
    hash: Option<String>,
}
