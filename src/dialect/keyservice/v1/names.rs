//! The names of parameters, and how long each may be.

/// A parameter that means something. Their letters may be of either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A word that stands for the private key.
    Passphrase,
    /// RSA, as XML or PEM.
    PublicKey,
    /// The same key's other half, encrypted with the passphrase.
    PrivateKey,
    /// What proves an owner without a passphrase.
    PrivateKeyHash,
    /// Which box.
    Token,
    /// A text that the gateway encrypts.
    Message,
    /// A text that the sender has encrypted.
    EncryptedMessage,
    /// With what, encrypted for the box.
    EncryptionKey,
    /// Before that nobody reads.
    ReleaseDate,
    /// From then on nobody sends.
    LockDate,
    /// What becomes of messages.
    DeleteMessagesAfterReading,
    /// What becomes of the box.
    DeleteKeyAfterReading,
    /// Who is told, or gets a letter.
    Email,
    /// A letter's file, in base64.
    Attachment,
    /// What it is called.
    AttachedAs,
    /// One message, or a letter.
    MessageId,
    /// Where to go on reading; ours.
    After,
    /// What a file is fetched with.
    FileId,
    /// A letter's hash.
    Hash,
    /// The version.
    Version,
}

/// As long as a body may be.
const ANY: usize = usize::MAX;

/// Every name, and the most bytes of its value.
const NAMES: [(Name, &str, usize); 20] = [
    (Name::Passphrase, "passphrase", 4096),
    (Name::PublicKey, "publickey", 16 * 1024),
    (Name::PrivateKey, "privatekey", 16 * 1024),
    (Name::PrivateKeyHash, "privatekeyhash", 1024),
    (Name::Token, "token", 64),
    (Name::Message, "message", ANY),
    (Name::EncryptedMessage, "encryptedmessage", ANY),
    (Name::EncryptionKey, "encryptionkey", 16 * 1024),
    (Name::ReleaseDate, "releasedate", 64),
    (Name::LockDate, "lockdate", 64),
    (Name::DeleteMessagesAfterReading, "deletemessagesafterreading", 16),
    (Name::DeleteKeyAfterReading, "deletekeyafterreading", 16),
    (Name::Email, "email", 320),
    (Name::Attachment, "attachment", ANY),
    (Name::AttachedAs, "attachmentname", 1024),
    (Name::MessageId, "messageid", 64),
    (Name::After, "after", 64),
    (Name::FileId, "fileid", 4096),
    (Name::Hash, "hash", 1024),
    (Name::Version, "v", 64),
];

impl Name {
    /// The name that is written so.
    pub(super) fn of(text: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(name, _, _)| *name)
    }

    /// How it is written.
    pub(super) fn text(self) -> &'static str {
        self.row().1
    }

    /// The most bytes that its value may have.
    pub(super) fn limit(self) -> usize {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, usize) {
        // The table has them in the order of their declaration, as a test shows.
        NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_row() {
        for (name, text, limit) in NAMES {
            assert_eq!((Name::of(text), name.text(), name.limit()), (Some(name), text, limit));
            assert_eq!(Name::of(&text.to_ascii_uppercase()), Some(name));
        }
        assert!(Name::of("privateKeyHash").is_some() && Name::of("password").is_none());
    }
}
