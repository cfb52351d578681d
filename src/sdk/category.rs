//! Message categories: what is in a message, and whether the gateway can read it.

/// Encrypted text.
pub const ENCRYPTED_TEXT: &str = "ENCRYPTED_TEXT";
/// Encrypted picture.
pub const ENCRYPTED_IMAGE: &str = "ENCRYPTED_IMAGE";
/// Encrypted voice message.
pub const ENCRYPTED_AUDIO: &str = "ENCRYPTED_AUDIO";
/// Encrypted film.
pub const ENCRYPTED_VIDEO: &str = "ENCRYPTED_VIDEO";
/// Encrypted file.
pub const ENCRYPTED_DATA: &str = "ENCRYPTED_DATA";
/// Encrypted sticker.
pub const ENCRYPTED_STICKER: &str = "ENCRYPTED_STICKER";
/// Encrypted contact card.
pub const ENCRYPTED_CONTACT: &str = "ENCRYPTED_CONTACT";
/// Encrypted place.
pub const ENCRYPTED_LOCATION: &str = "ENCRYPTED_LOCATION";
/// Encrypted live stream.
pub const ENCRYPTED_LIVE: &str = "ENCRYPTED_LIVE";
/// Encrypted long text in Markdown.
pub const ENCRYPTED_POST: &str = "ENCRYPTED_POST";
/// Encrypted bundle of forwarded messages.
pub const ENCRYPTED_TRANSCRIPT: &str = "ENCRYPTED_TRANSCRIPT";
/// Takes an earlier message back; readable by the gateway.
pub const MESSAGE_RECALL: &str = "MESSAGE_RECALL";
/// Pins or unpins a message; readable by the gateway.
pub const MESSAGE_PIN: &str = "MESSAGE_PIN";
/// A card that opens an app; readable by the gateway.
pub const APP_CARD: &str = "APP_CARD";
/// A row of buttons; readable by the gateway.
pub const APP_BUTTON_GROUP: &str = "APP_BUTTON_GROUP";
/// What all categories of the gateway's own messages begin with; accounts cannot send them.
pub const SYSTEM_PREFIX: &str = "SYSTEM_";
/// A change of a conversation, written by the gateway.
pub const SYSTEM_CONVERSATION: &str = "SYSTEM_CONVERSATION";
/// Marks messages that were dropped unread, written by the gateway.
pub const SYSTEM_GAP: &str = "SYSTEM_GAP";

/// What an encrypted and a plain category have in common after their prefix.
const KINDS: [&str; 11] = [
    "TEXT",
    "IMAGE",
    "AUDIO",
    "VIDEO",
    "DATA",
    "STICKER",
    "CONTACT",
    "LOCATION",
    "LIVE",
    "POST",
    "TRANSCRIPT",
];

/// Whether a category is encrypted end to end and known.
#[must_use]
pub fn is_encrypted(category: &str) -> bool {
    category.strip_prefix("ENCRYPTED_").is_some_and(|kind| KINDS.contains(&kind))
}

/// Whether a category is one of the `PLAIN_…` ones.
#[must_use]
pub fn is_plain(category: &str) -> bool {
    category.strip_prefix("PLAIN_").is_some_and(|kind| KINDS.contains(&kind))
}

/// Whether an account may send messages of this category at all.
///
/// The `SYSTEM_…` categories are not among them: the gateway alone writes those.
#[must_use]
pub fn is_known(category: &str) -> bool {
    is_encrypted(category)
        || is_plain(category)
        || [MESSAGE_RECALL, MESSAGE_PIN, APP_CARD, APP_BUTTON_GROUP].contains(&category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_plain_and_control_categories_are_told_apart() {
        for category in [ENCRYPTED_TEXT, ENCRYPTED_TRANSCRIPT, ENCRYPTED_LIVE] {
            assert!(is_encrypted(category) && is_known(category) && !is_plain(category));
        }
        assert!(is_plain("PLAIN_TEXT") && is_known("PLAIN_TEXT") && !is_encrypted("PLAIN_TEXT"));
        assert!(is_known(MESSAGE_RECALL) && !is_encrypted(MESSAGE_RECALL));
    }

    #[test]
    fn system_and_misspelt_categories_are_unknown() {
        for category in [SYSTEM_GAP, SYSTEM_CONVERSATION, "ENCRYPTED_", "encrypted_text", ""] {
            assert!(!is_known(category), "{category}");
        }
    }
}
