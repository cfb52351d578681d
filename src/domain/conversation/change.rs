//! Changing a conversation: decided on what was read, made only if that still holds.

use super::notice::Notices;
use super::plan::{Plan, Wish, plan};
use super::{Conversation, Role};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{
    AccountNumber, CodeId, ConversationId, ConversationNumber, SessionNumber,
};
use crate::domain::ports::Hint;
use crate::domain::session::SessionOwner;

/// What becomes of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Who takes part from now on, and as what.
    pub add: Vec<(AccountNumber, Role)>,
    /// Who takes no part any more.
    pub remove: Vec<AccountNumber>,
    /// Who has another role.
    pub roles: Vec<(AccountNumber, Role)>,
    /// Another name.
    pub name: Option<String>,
    /// Another announcement.
    pub announcement: Option<String>,
    /// What happens to the code.
    pub code: CodeEdit,
    /// Another time after which messages disappear, in seconds.
    pub expire_in: Option<i64>,
}

/// What happens to a group's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeEdit {
    /// It stays.
    #[default]
    Keep,
    /// Another one takes its place.
    New(CodeId),
    /// Nobody can join any more.
    Void,
}

/// A change that passed every rule, to be made if the conversation is still as it was read.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which conversation.
    pub conversation: ConversationNumber,
    /// The same conversation's public id.
    pub id: ConversationId,
    /// Its generation when it was read.
    pub generation: i64,
    /// What becomes of it.
    pub edits: Edits,
    /// What is said about it.
    pub notices: Notices,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Made, and on disk. The notices wait for these sessions.
    Made(Vec<SessionNumber>),
    /// The conversation is no longer as it was read; nothing was done.
    Moved,
}

/// How often a change is decided again when others are faster.
pub(super) const ROUNDS: usize = 16;

impl Gateway {
    /// Changes a conversation as `actor` wishes and the rules allow. A wish that is fulfilled
    /// already changes nothing and is no mistake.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is no such conversation, [`Fault::Forbidden`] when the actor
    /// takes no part or may not do this, [`Fault::Invalid`] and [`Fault::GroupFull`] as
    /// [`Wish`] says, [`Fault::Unavailable`] when others change it all the time.
    pub async fn change_conversation(
        &self,
        actor: &SessionOwner,
        id: ConversationId,
        wish: &Wish,
    ) -> Result<Conversation, Fault> {
        for _ in 0..ROUNDS {
            let found = self.store.fresh_conversations(&[id]).await?.pop();
            let found = found.ok_or(Fault::NotFound { what: "conversation" })?;
            let decided =
                plan(&found, (&actor.account).into(), wish, self.limits.group_participants)?;
            let Some(Plan { edits, news }) = decided else {
                return Ok(found);
            };
            let change = Change {
                conversation: found.number,
                id,
                generation: found.generation,
                edits,
                notices: self.notices(actor, news),
            };
            if let Changed::Made(woken) = self.store.change_conversation(change).await? {
                self.wake(woken);
                let changed = self.store.conversations(&[id]).await?.pop();
                return changed.ok_or(Fault::NotFound { what: "conversation" });
            }
        }
        Err(Fault::unavailable("the conversation is changed by others all the time", None))
    }

    pub(super) fn wake(&self, sessions: Vec<SessionNumber>) {
        if !sessions.is_empty() {
            self.bus.publish(Hint::Wake(sessions.into()));
        }
    }
}
