//! What can be set in a conversation: its texts, and how long it is muted.

use std::time::Duration;

use super::Conversation;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::ConversationId;
use crate::domain::session::SessionOwner;

/// The longest name of a group, in characters.
pub const NAME_LIMIT: usize = 512;

/// The longest announcement of a group, in characters.
pub const ANNOUNCEMENT_LIMIT: usize = 1024;

/// The longest time for which a conversation is muted, or after which its messages disappear.
pub const LONGEST_DURATION: i64 = 10 * 366 * 24 * 60 * 60;

impl Gateway {
    /// Mutes a conversation for `seconds` from now on, as far as the actor is concerned; 0 ends it.
    /// Nobody else is told.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is no such conversation, [`Fault::Forbidden`] when the actor
    /// takes no part, [`Fault::Invalid`] when the time is negative or longer than
    /// [`LONGEST_DURATION`].
    pub async fn mute(
        &self,
        actor: &SessionOwner,
        id: ConversationId,
        seconds: i64,
    ) -> Result<Conversation, Fault> {
        let duration = Duration::from_secs(checked_duration(seconds)?.unsigned_abs());
        let found = self.conversation(actor.account.id, id).await?;
        let until = (!duration.is_zero()).then(|| self.clock.now().plus(duration));
        let me = actor.account.number;
        self.store.mute(id, found.number, me, until).await?;
        self.conversation(actor.account.id, id).await
    }
}

/// A time that somebody chose, in seconds.
///
/// # Errors
/// [`Fault::Invalid`] when it is negative or longer than [`LONGEST_DURATION`].
pub fn checked_duration(seconds: i64) -> Result<i64, Fault> {
    if (0..=LONGEST_DURATION).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Fault::invalid("duration", format!("must be a number from 0 to {LONGEST_DURATION}")))
}

/// A group's name.
///
/// # Errors
/// [`Fault::Invalid`] when it is longer than [`NAME_LIMIT`] or holds control characters.
pub fn checked_name(name: &str) -> Result<(), Fault> {
    if name.chars().any(char::is_control) {
        return Err(Fault::invalid("name", "holds a control character"));
    }
    checked_length("name", name, NAME_LIMIT)
}

/// A group's announcement. It may have several lines.
///
/// # Errors
/// [`Fault::Invalid`] when it is longer than [`ANNOUNCEMENT_LIMIT`] or holds control characters
/// other than those that lay out a text.
pub fn checked_announcement(text: &str) -> Result<(), Fault> {
    let lays_out = |character: char| matches!(character, '\n' | '\r' | '\t');
    if text.chars().any(|character| character.is_control() && !lays_out(character)) {
        return Err(Fault::invalid("announcement", "holds a control character"));
    }
    checked_length("announcement", text, ANNOUNCEMENT_LIMIT)
}

fn checked_length(field: &'static str, text: &str, limit: usize) -> Result<(), Fault> {
    let length = text.chars().count();
    if length <= limit {
        return Ok(());
    }
    Err(Fault::invalid(field, format!("has {length} characters, the limit is {limit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_limits_and_no_control_characters() {
        let field = |outcome: Result<(), Fault>| outcome.unwrap_err().to_string();
        assert!(checked_name("Team ✓").is_ok() && checked_announcement("one\ntwo").is_ok());
        assert!(checked_name(&"ü".repeat(512)).is_ok());
        assert_eq!(
            field(checked_name(&"ü".repeat(513))),
            "name: has 513 characters, the limit is 512"
        );
        assert_eq!(field(checked_name("a\nb")), "name: holds a control character");
        assert!(field(checked_announcement("\u{7}")).starts_with("announcement: "));
        assert!(field(checked_announcement(&"x".repeat(1025))).starts_with("announcement: "));
    }

    #[test]
    fn a_time_is_not_negative_and_not_for_ever() {
        assert_eq!(checked_duration(0).unwrap(), 0);
        for seconds in [-1, i64::MIN, LONGEST_DURATION + 1, i64::MAX] {
            assert!(checked_duration(seconds).unwrap_err().to_string().starts_with("duration"));
        }
    }
}
