//! Making groups, and who comes to them by which way.

use std::collections::{HashMap, HashSet};

use sealpost_sdk::conversation::group_conversation_id;
use sealpost_sdk::types::ConversationAction;
use uuid::Uuid;

use super::change::{Changed, ROUNDS};
use super::notice::{News, Notices};
use super::plan::{Candidate, Wish, room_for};
use super::settings::{checked_announcement, checked_name};
use super::{Conversation, ConversationCategory, Role};
use crate::domain::account::Account;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{AccountNumber, CodeId, ConversationId, UserId};
use crate::domain::session::SessionOwner;

/// A group that somebody wants to make.
#[derive(Clone, Debug)]
pub struct GroupRequest {
    /// Its public id.
    pub id: ConversationId,
    /// Its name.
    pub name: String,
    /// Its announcement.
    pub announcement: String,
    /// What the id was made from, if it was.
    pub random_id: Option<Uuid>,
    /// Who shall take part; the creator may be among them.
    pub participants: Vec<Named>,
}

/// An account that somebody named.
#[derive(Clone, Debug)]
pub struct Named {
    /// The account.
    pub user: UserId,
    /// As what it shall take part.
    pub role: Role,
    /// Where it was named, in the words of the caller's protocol.
    pub field: String,
}

/// A group that passed every rule.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its public id.
    pub id: ConversationId,
    /// Who makes it.
    pub creator: AccountNumber,
    /// Its name.
    pub name: String,
    /// Its announcement.
    pub announcement: String,
    /// The code by which one can join.
    pub code: CodeId,
    /// Who takes part, the creator among them.
    pub participants: Vec<(AccountNumber, Role)>,
    /// What is said about it; it was made at their time.
    pub notices: Notices,
}

impl Gateway {
    /// Makes a group, or returns it when it exists and the creator takes part in it.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when it exists and the creator takes no part, or when somebody named has
    /// blocked the creator; [`Fault::Invalid`] when
    /// the id is neither the one that follows from `random_id` nor, without that, of version 4, when
    /// an account is unknown or a text cannot be used; [`Fault::GroupFull`].
    pub async fn create_group(
        &self,
        creator: &SessionOwner,
        request: &GroupRequest,
    ) -> Result<Conversation, Fault> {
        let me = &creator.account;
        for _ in 0..ROUNDS {
            match self.fresh_conversation(me.id, request.id).await {
                Err(Fault::NotFound { .. }) => {}
                Ok(found) if found.category == ConversationCategory::Contact => {
                    let reason = "is that of a contact conversation";
                    return Err(Fault::invalid("conversation_id", reason));
                }
                found => return found,
            }
            let group = self.new_group(creator, request).await?;
            if let Changed::Made(woken) = self.store.create_group(group).await? {
                self.wake(woken);
                return self.fresh_conversation(me.id, request.id).await;
            }
        }
        Err(Fault::unavailable("the conversation is made and lost all the time", None))
    }

    async fn new_group(
        &self,
        creator: &SessionOwner,
        request: &GroupRequest,
    ) -> Result<NewGroup, Fault> {
        let (me, limit) = (&creator.account, self.limits.group_participants);
        checked_name(&request.name)?;
        checked_announcement(&request.announcement)?;
        let others: Vec<Named> =
            request.participants.iter().filter(|named| named.user != me.id).cloned().collect();
        check_id(me, request, &others)?;
        let others = self.candidates(&others).await?;
        room_for(others.len() + 1, limit)?;
        self.refuse_blockers(me.number, &others).await?;
        let mut participants = vec![(me.number, Role::Owner)];
        participants.extend(others.iter().map(|other| (other.account, other.role)));
        let readers = participants.iter().map(|(account, _)| *account).collect();
        let created = News::of_all(ConversationAction::Create, readers);
        Ok(NewGroup {
            id: request.id,
            creator: me.number,
            name: request.name.clone(),
            announcement: request.announcement.clone(),
            code: self.random_id(),
            participants,
            notices: self.notices(creator, vec![created]),
        })
    }

    /// Adds accounts to a group, see [`Wish::Add`].
    ///
    /// # Errors
    /// As [`change_conversation`](Self::change_conversation), and [`Fault::Invalid`] for an unknown
    /// account.
    pub async fn add_participants(
        &self,
        actor: &SessionOwner,
        id: ConversationId,
        named: &[Named],
    ) -> Result<Conversation, Fault> {
        // Strangers are not told which accounts exist.
        self.conversation(actor.account.id, id).await?;
        let candidates = self.candidates(named).await?;
        self.refuse_blockers(actor.account.number, &candidates).await?;
        self.change_conversation(actor, id, &Wish::Add(candidates)).await
    }

    /// Nobody is taken into a group by somebody they have blocked.
    async fn refuse_blockers(
        &self,
        actor: AccountNumber,
        candidates: &[Candidate],
    ) -> Result<(), Fault> {
        let accounts: Vec<_> = candidates.iter().map(|candidate| candidate.account).collect();
        if self.blockers(actor, &accounts).await?.is_empty() {
            return Ok(());
        }
        let reason = "names an account that has blocked the caller";
        Err(Fault::forbidden_field("participants", reason))
    }

    /// Joins the group that `code` opens; no mistake for who takes part already.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when the code opens nothing, or no longer; [`Fault::GroupFull`].
    pub async fn join_group(
        &self,
        actor: &SessionOwner,
        code: CodeId,
    ) -> Result<Conversation, Fault> {
        let id = self.store.conversation_by_code(code).await?;
        let id = id.ok_or(Fault::NotFound { what: "code" })?;
        self.change_conversation(actor, id, &Wish::Join(code)).await
    }

    /// The accounts that were named, each once. More than a group takes are not even looked for.
    async fn candidates(&self, named: &[Named]) -> Result<Vec<Candidate>, Fault> {
        let mut seen = HashSet::new();
        let named: Vec<&Named> = named.iter().filter(|one| seen.insert(one.user)).collect();
        room_for(named.len(), self.limits.group_participants)?;
        if let Some(owner) = named.iter().find(|one| one.role == Role::Owner) {
            return Err(Fault::invalid(owner.field.clone(), "cannot be an owner beside the first"));
        }
        let users: Vec<UserId> = named.iter().map(|one| one.user).collect();
        let accounts = self.store.accounts(&users).await?;
        let numbers: HashMap<_, _> = accounts.iter().map(|it| (it.id, it.number)).collect();
        let candidate = |one: &&Named| match numbers.get(&one.user) {
            Some(account) => Ok(Candidate { account: *account, user: one.user, role: one.role }),
            None => Err(Fault::invalid(one.field.clone(), "is no account")),
        };
        named.iter().map(candidate).collect()
    }
}

/// Whether the creator may use this id. An id of version 4 cannot be that of two accounts, and one
/// that follows from what the group is made of is nobody else's.
fn check_id(creator: &Account, request: &GroupRequest, others: &[Named]) -> Result<(), Fault> {
    let field = "conversation_id";
    let Some(random_id) = request.random_id else {
        let is_random = request.id.uuid().get_version_num() == 4;
        let reason = "must be a version 4 UUID when there is no random_id";
        return if is_random { Ok(()) } else { Err(Fault::invalid(field, reason)) };
    };
    let fold = |named: &mut dyn Iterator<Item = &Named>| {
        let users: Vec<UserId> = named.map(|one| one.user).collect();
        group_conversation_id(creator.id, &request.name, random_id, &users)
    };
    let expected = fold(&mut others.iter());
    // Some clients name themselves among the participants and fold that in.
    if request.id == expected || request.id == fold(&mut request.participants.iter()) {
        return Ok(());
    }
    Err(Fault::invalid(field, format!("is not the id of this group, which is {expected}")))
}
