//! Groups: made by one member, who may add others with whom they have a chat, and remove them. Nobody is told by a message: whoever
//! takes part sees the group in the list of chats.

use std::collections::HashSet;

use super::Messenger;
use super::actor::Actor;
use crate::domain::conversation::change::{Change, Changed};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::notice::Notices;
use crate::domain::conversation::plan::{self, Candidate, Plan, Wish, plan};
use crate::domain::conversation::settings::checked_name;
use crate::domain::conversation::{Conversation, Role};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::inbox::WhenFull;

/// How often a change is decided again when others are faster.
const ROUNDS: usize = 16;

/// A group that a member wants to make.
#[derive(Clone, Debug)]
pub struct GroupWish {
    /// The id that it shall have; a fresh one otherwise. A repetition under the same id finds the
    /// group that is there.
    pub id: Option<ConversationId>,
    /// Its name.
    pub name: String,
    /// Who takes part beside its maker.
    pub members: Vec<UserId>,
}

impl Messenger {
    /// Makes a group, or returns it when it exists and its maker takes part.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the name cannot be used, the id is not of version 4 or somebody is
    /// unknown here or has no chat with the maker, [`Fault::GroupFull`], [`Fault::Conflict`] (`chat_id`) when the id is another
    /// conversation's.
    pub async fn make_group(&self, maker: Actor, wish: &GroupWish) -> Result<Conversation, Fault> {
        if wish.name.is_empty() {
            return Err(Fault::invalid("name", "is empty"));
        }
        checked_name(&wish.name)?;
        if wish.id.is_some_and(|id| id.uuid().get_version_num() != 4) {
            return Err(Fault::invalid("chat_id", "is no UUID of version 4"));
        }
        let id = wish.id.unwrap_or_else(|| self.gateway.random_id());
        let mut participants = vec![(maker.account, Role::Owner)];
        let mut named = HashSet::from([maker.user]);
        for user in wish.members.iter().filter(|user| named.insert(**user)) {
            let candidate = self.candidate(maker, *user).await?;
            participants.push((candidate.account, Role::Member));
            self.room_for(participants.len())?;
        }
        let group = NewGroup {
            id,
            creator: maker.account,
            name: wish.name.clone(),
            announcement: String::new(),
            code: self.gateway.random_id(),
            participants,
            notices: self.silence(maker),
        };
        let made = self.gateway.store.create_group(group).await?;
        match self.chat(maker.user, id, true).await {
            Ok(found) if found.is_group() => Ok(found),
            Err(fault) if fault.is_ours() || made != Changed::Moved => Err(fault),
            _ => Err(Fault::conflict("chat_id", "the id is another chat's")),
        }
    }

    /// Adds a member to a group. For its owner.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`chat`), [`Fault::Forbidden`] when the actor may not,
    /// [`Fault::Invalid`] when nobody has that id, or they have no chat with the actor, [`Fault::GroupFull`].
    pub async fn add_to_group(
        &self,
        actor: Actor,
        group: ConversationId,
        user: UserId,
    ) -> Result<Conversation, Fault> {
        let wish = Wish::Add(vec![self.candidate(actor, user).await?]);
        self.change_group(actor, group, &wish).await
    }

    /// Removes a member from a group: its owner anybody, and everybody themselves. The owner is
    /// followed by the oldest member.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`chat`), [`Fault::Forbidden`] when the actor may not.
    pub async fn remove_from_group(
        &self,
        actor: Actor,
        group: ConversationId,
        user: UserId,
    ) -> Result<Conversation, Fault> {
        let wish = match user == actor.user {
            true => Wish::Exit,
            false => Wish::Remove(vec![user]),
        };
        self.change_group(actor, group, &wish).await
    }

    async fn change_group(
        &self,
        actor: Actor,
        id: ConversationId,
        wish: &Wish,
    ) -> Result<Conversation, Fault> {
        let gateway = &self.gateway;
        for _ in 0..ROUNDS {
            let found = self.chat(actor.user, id, true).await?;
            if !found.is_group() {
                return Err(Fault::forbidden_field("chat_id", "is no group"));
            }
            let me = plan::Actor { account: actor.account, user: actor.user };
            let decided = plan(&found, me, wish, gateway.limits.group_participants)?;
            let Some(Plan { edits, .. }) = decided else { return Ok(found) };
            let (conversation, generation) = (found.number, found.generation);
            let notices = self.silence(actor);
            let change = Change { conversation, id, generation, edits, notices };
            if let Changed::Made(_) = gateway.store.change_conversation(change).await? {
                let changed = gateway.store.fresh_conversations(&[id]).await?.pop();
                return changed.ok_or(Fault::NotFound { what: "chat" });
            }
        }
        Err(Fault::unavailable("the chat is changed by others all the time", None))
    }

    /// Nobody is put into a group by a stranger: who has no chat with the actor has never confirmed
    /// an introduction of theirs.
    async fn candidate(&self, actor: Actor, user: UserId) -> Result<Candidate, Fault> {
        let nobody = |what: &str| Fault::invalid("members", format!("{user} {what}"));
        let store = &self.gateway.store;
        let member = store.member(user).await?.filter(|member| member.relay.is_none());
        let member = member.ok_or_else(|| nobody("is nobody of this gateway"))?;
        let is_own = user == actor.user;
        if !is_own && store.direct_chat(actor.account, member.account).await?.is_none() {
            return Err(nobody("has no chat with the one who adds them"));
        }
        Ok(Candidate { account: member.account, user, role: Role::Member })
    }

    fn room_for(&self, count: usize) -> Result<(), Fault> {
        plan::room_for(count, self.gateway.limits.group_participants)
    }

    /// Nothing is said about a change.
    fn silence(&self, actor: Actor) -> Notices {
        let at = self.gateway.clock.now();
        Notices {
            sender: actor.account,
            sender_session: actor.session,
            quota: self.gateway.quota(WhenFull::Trim),
            at,
            expires_at: at.plus(self.gateway.limits.message_life),
            list: Vec::new(),
        }
    }
}
