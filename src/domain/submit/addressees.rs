//! Whom items address, worked out once for all items of a batch that say the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Addressees, Submission, Verdict};
use crate::domain::account::contact_conversation_id;
use crate::domain::audience::Audience;
use crate::domain::conversation::Conversation;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, ConversationId, UserId};
use crate::domain::inbox::Guard;
use crate::domain::roster::Roster;
use crate::domain::session::SessionOwner;

/// What an item says about where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub conversation: ConversationId,
    pub to: Addressees,
}

impl Address {
    pub(super) fn of(item: &Submission) -> Self {
        Self { conversation: item.conversation, to: item.to }
    }
}

/// Whom an address stands for.
#[derive(Debug)]
pub(super) struct Target {
    pub audience: Arc<Audience>,
    /// What has to be the same still when the message is stored.
    pub guards: Arc<[Guard]>,
    /// The one account behind it, when it is not a whole group's.
    pub single: Option<AccountNumber>,
}

/// Why nobody stands behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The sender takes no part in the conversation.
    Outside,
    /// The sender addresses itself.
    ToItself,
    /// The named account takes no part in the conversation.
    NotThere,
    /// There is no such account.
    Gone,
    /// Nobody is signed in.
    NobodyLive,
    /// The account does not want messages of this sender.
    Blocked,
}

/// When to try an account again that has no live session.
const NO_SESSION_RETRY: Duration = Duration::from_secs(300);

impl Refusal {
    pub(super) fn verdict(self) -> Verdict {
        let forbidden = |field, reason| Verdict::Rejected(Fault::forbidden_field(field, reason));
        let invalid = |reason| Verdict::Rejected(Fault::invalid("recipient_id", reason));
        match self {
            Self::Outside => {
                forbidden("conversation_id", "the sender takes no part in this conversation")
            }
            Self::ToItself => invalid("is the sender"),
            Self::NotThere => invalid("takes no part in this conversation"),
            Self::Gone => Verdict::RecipientGone,
            Self::NobodyLive => Verdict::Deferred { after: NO_SESSION_RETRY },
            Self::Blocked => forbidden("recipient_id", "this account has blocked the sender"),
        }
    }
}

/// The conversations and rosters that a round of decisions looks at.
pub(super) struct Known<'a> {
    pub sender: &'a SessionOwner,
    pub conversations: &'a HashMap<ConversationId, Conversation>,
    pub rosters: &'a HashMap<UserId, Arc<Roster>>,
}

/// The accounts that an address names, as far as conversations say.
pub(super) fn accounts(
    address: Address,
    sender: UserId,
    conversations: &HashMap<ConversationId, Conversation>,
) -> Result<Vec<UserId>, Refusal> {
    if address.to == Addressees::One(sender) {
        return Err(Refusal::ToItself);
    }
    let Some(conversation) = conversations.get(&address.conversation) else {
        let Addressees::One(recipient) = address.to else { return Err(Refusal::Outside) };
        let is_theirs = address.conversation == contact_conversation_id(sender, recipient);
        return if is_theirs { Ok(vec![recipient]) } else { Err(Refusal::Outside) };
    };
    if !conversation.has(sender) {
        return Err(Refusal::Outside);
    }
    let users = conversation.participants.iter().map(|one| one.user);
    match address.to {
        Addressees::One(user) if conversation.has(user) => Ok(vec![user]),
        Addressees::One(_) => Err(Refusal::NotThere),
        Addressees::Others => Ok(users.filter(|user| *user != sender).collect()),
        Addressees::Everyone => Ok(users.collect()),
    }
}

impl Known<'_> {
    /// Who is behind an address, by the rosters of `users`.
    pub(super) fn target(&self, address: Address, users: &[UserId]) -> Result<Target, Refusal> {
        let rosters: Vec<_> =
            users.iter().filter_map(|user| self.rosters.get(user).cloned()).collect();
        if rosters.is_empty() && address.to.named().is_some() {
            return Err(Refusal::Gone);
        }
        let session = self.sender.session.id;
        let left_out = (address.to == Addressees::Everyone).then_some(session);
        let audience = Arc::new(Audience::new(rosters, left_out));
        if audience.is_empty() {
            return Err(Refusal::NobodyLive);
        }
        let guards = self.guards(address, &audience);
        Ok(Target { guards, single: self.single(address, &audience), audience })
    }

    /// The rosters that were looked at, the sender's for its key; and who takes part, where that
    /// can change.
    fn guards(&self, address: Address, audience: &Audience) -> Arc<[Guard]> {
        let own = self.rosters.get(&self.sender.account.id);
        let of_others = |roster: &&Arc<Roster>| Some(roster.account) != own.map(|own| own.account);
        // Those of an audience belong to different accounts.
        let rosters = own.into_iter().chain(audience.rosters().iter().filter(of_others));
        let rosters = rosters.map(|roster| roster.guard());
        let conversation = self.conversations.get(&address.conversation);
        let group = conversation.filter(|one| one.is_group()).map(Conversation::guard);
        rosters.chain(group).collect()
    }

    fn single(&self, address: Address, audience: &Audience) -> Option<AccountNumber> {
        let conversation = self.conversations.get(&address.conversation);
        let is_group = conversation.is_some_and(Conversation::is_group);
        if is_group && address.to.named().is_none() {
            return None;
        }
        let sender = self.sender.account.number;
        let mut accounts = audience.rosters().iter().map(|roster| roster.account);
        accounts.find(|account| *account != sender)
    }
}
