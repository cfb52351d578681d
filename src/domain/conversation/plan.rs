//! Who may change what in a conversation, and what follows from it. Nothing here reads or writes.

use sealpost_sdk::types::ConversationAction;

use super::change::{CodeEdit, Edits};
use super::notice::News;
use super::settings::{checked_announcement, checked_duration, checked_name};
use super::{Conversation, ConversationCategory, Participant, Role};
use crate::domain::account::Account;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, CodeId, UserId};

/// What somebody wants of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Add accounts. For the owner and admins; admins are made by the owner alone.
    Add(Vec<Candidate>),
    /// Remove participants. For the owner, and for admins as far as members are concerned.
    Remove(Vec<UserId>),
    /// Make participants admins, or members again. For the owner.
    Roles(Vec<(UserId, Role)>),
    /// Take part, by the code that the actor knows. For everybody.
    Join(CodeId),
    /// Take no part any more. The owner is followed by the oldest admin, or else by the oldest
    /// member; when the last one goes, nobody can come back.
    Exit,
    /// Give the group another name or announcement. For the owner and admins.
    Describe {
        /// The name, if it changes.
        name: Option<String>,
        /// The announcement, if it changes.
        announcement: Option<String>,
    },
    /// Make the old code worthless. For the owner and admins.
    Rotate(CodeId),
    /// Let messages disappear so many seconds after they were read; 0 for never. For the owner and
    /// admins of a group, and for both sides of a contact conversation.
    ExpireIn(i64),
}

/// Who wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account's number inside the store.
    pub account: AccountNumber,
    /// The account's public id.
    pub user: UserId,
}

impl From<&Account> for Actor {
    fn from(account: &Account) -> Self {
        Self { account: account.number, user: account.id }
    }
}

/// An account that may become a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The account's number inside the store.
    pub account: AccountNumber,
    /// The account's public id.
    pub user: UserId,
    /// As what it shall take part.
    pub role: Role,
}

/// What a wish comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What becomes of the conversation.
    pub edits: Edits,
    /// What is told, in this order.
    pub news: Vec<News>,
}

/// What it takes to fulfil a wish; `None` when it is fulfilled already. A participant is told all
/// that concerns the group; who comes or goes in this very change is told of itself alone.
///
/// # Errors
/// [`Fault::Forbidden`] when the actor may not, [`Fault::Invalid`] for a participant that cannot be
/// meant, [`Fault::GroupFull`] when there would be more than `limit` participants.
pub fn plan(
    found: &Conversation,
    actor: Actor,
    wish: &Wish,
    limit: u32,
) -> Result<Option<Plan>, Fault> {
    let group = Group { found, limit };
    if let Wish::Join(code) = wish {
        return group.join(actor, *code);
    }
    let me = found.participant(actor.user);
    let me = me.ok_or_else(|| Fault::forbidden("the caller takes no part in this conversation"))?;
    if found.category == ConversationCategory::Contact && !matches!(wish, Wish::ExpireIn(_)) {
        return Err(Fault::forbidden("a contact conversation is no group"));
    }
    match wish {
        Wish::Join(code) => group.join(actor, *code),
        Wish::Exit => Ok(Some(group.exit(me))),
        Wish::Add(candidates) => group.add(me, candidates),
        Wish::Remove(users) => group.remove(me, users),
        Wish::Roles(roles) => group.roles(me, roles),
        Wish::Describe { name, announcement } => {
            group.describe(me, name.as_ref(), announcement.as_ref())
        }
        Wish::Rotate(code) => {
            at_least(me, Role::Admin)?;
            let edits = Edits { code: CodeEdit::New(*code), ..Edits::default() };
            Ok(Some(Plan { edits, news: Vec::new() }))
        }
        Wish::ExpireIn(seconds) => group.expire_in(me, *seconds),
    }
}

struct Group<'a> {
    found: &'a Conversation,
    limit: u32,
}

impl Group<'_> {
    fn add(&self, me: &Participant, candidates: &[Candidate]) -> Result<Option<Plan>, Fault> {
        at_least(me, Role::Admin)?;
        if candidates.iter().any(|it| it.role != Role::Member) {
            at_least(me, Role::Owner)?;
        }
        let mut plan = Plan::default();
        for (place, new) in candidates.iter().enumerate() {
            let named_before = candidates.iter().take(place).any(|it| it.user == new.user);
            if named_before || self.found.has(new.user) {
                continue;
            }
            plan.edits.add.push((new.account, new.role));
            plan.news.push(News {
                role: Some(new.role),
                ..News::about(new.user, ConversationAction::Add, self.everybody_and(new.account))
            });
        }
        self.room_for(plan.edits.add.len())?;
        Ok(some_unless_empty(plan))
    }

    fn join(&self, actor: Actor, code: CodeId) -> Result<Option<Plan>, Fault> {
        if self.found.code != Some(code) {
            return Err(Fault::NotFound { what: "code" });
        }
        if self.found.has(actor.user) {
            return Ok(None);
        }
        self.room_for(1)?;
        let readers = self.everybody_and(actor.account);
        let news = News {
            role: Some(Role::Member),
            ..News::about(actor.user, ConversationAction::Join, readers)
        };
        let edits = Edits { add: vec![(actor.account, Role::Member)], ..Edits::default() };
        Ok(Some(Plan { edits, news: vec![news] }))
    }

    fn remove(&self, me: &Participant, users: &[UserId]) -> Result<Option<Plan>, Fault> {
        at_least(me, Role::Admin)?;
        let mut going = Vec::new();
        for (place, user) in users.iter().enumerate() {
            if *user == me.user {
                let field = format!("[{place}].user_id");
                return Err(Fault::invalid(field, "is the caller, who leaves by /exit"));
            }
            let Some(other) = self.found.participant(*user) else { continue };
            if other.role >= me.role {
                let field = format!("[{place}].user_id");
                let reason = "an admin may not remove the owner or another admin";
                return Err(Fault::forbidden_field(field, reason));
            }
            if !going.contains(&other) {
                going.push(other);
            }
        }
        let staying = self.found.participants.iter().filter(|it| !going.contains(it));
        let staying: Vec<AccountNumber> = staying.map(|it| it.account).collect();
        let news = |gone: &&Participant| {
            let readers = staying.iter().copied().chain([gone.account]).collect();
            News::about(gone.user, ConversationAction::Remove, readers)
        };
        let news = going.iter().map(news).collect();
        let remove = going.iter().map(|it| it.account).collect();
        Ok(some_unless_empty(Plan { edits: Edits { remove, ..Edits::default() }, news }))
    }

    fn roles(&self, me: &Participant, roles: &[(UserId, Role)]) -> Result<Option<Plan>, Fault> {
        at_least(me, Role::Owner)?;
        let mut plan = Plan::default();
        for (place, (user, role)) in roles.iter().enumerate() {
            let field = || format!("[{place}].user_id");
            if *user == me.user {
                return Err(Fault::invalid(field(), "is the owner, who stays it until leaving"));
            }
            if *role == Role::Owner {
                return Err(Fault::invalid(field(), "cannot become the owner, who is one"));
            }
            if roles.iter().take(place).any(|(before, _)| before == user) {
                return Err(Fault::invalid(field(), "stands in the list twice"));
            }
            let other = self.found.participant(*user);
            let other = other
                .ok_or_else(|| Fault::invalid(field(), "takes no part in this conversation"))?;
            if other.role == *role {
                continue;
            }
            plan.edits.roles.push((other.account, *role));
            plan.news.push(self.new_role(*user, *role, self.everybody()));
        }
        Ok(some_unless_empty(plan))
    }

    fn exit(&self, me: &Participant) -> Plan {
        let news = News::about(me.user, ConversationAction::Exit, self.everybody());
        let mut plan = Plan { news: vec![news], ..Plan::default() };
        plan.edits.remove.push(me.account);
        let staying = || self.found.others(me.user);
        if staying().next().is_none() {
            plan.edits.code = CodeEdit::Void;
        }
        if me.role != Role::Owner {
            return plan;
        }
        // `min_by_key` takes the first of equals: the oldest of the highest role.
        let age = |it: &&Participant| (std::cmp::Reverse(it.role), it.joined_at, it.account);
        if let Some(heir) = staying().min_by_key(age) {
            plan.edits.roles.push((heir.account, Role::Owner));
            let readers = staying().map(|it| it.account).collect();
            plan.news.push(self.new_role(heir.user, Role::Owner, readers));
        }
        plan
    }

    fn describe(
        &self,
        me: &Participant,
        name: Option<&String>,
        announcement: Option<&String>,
    ) -> Result<Option<Plan>, Fault> {
        at_least(me, Role::Admin)?;
        name.map_or(Ok(()), |name| checked_name(name))?;
        announcement.map_or(Ok(()), |text| checked_announcement(text))?;
        let name = name.filter(|name| **name != self.found.name).cloned();
        let announcement = announcement.filter(|text| **text != self.found.announcement).cloned();
        if name.is_none() && announcement.is_none() {
            return Ok(None);
        }
        let news = vec![News::of_all(ConversationAction::Update, self.everybody())];
        Ok(Some(Plan { edits: Edits { name, announcement, ..Edits::default() }, news }))
    }

    fn expire_in(&self, me: &Participant, seconds: i64) -> Result<Option<Plan>, Fault> {
        if self.found.category == ConversationCategory::Group {
            at_least(me, Role::Admin)?;
        }
        checked_duration(seconds)?;
        if self.found.expire_in == seconds {
            return Ok(None);
        }
        let news = News {
            expire_in: Some(seconds),
            ..News::of_all(ConversationAction::Expire, self.everybody())
        };
        let edits = Edits { expire_in: Some(seconds), ..Edits::default() };
        Ok(Some(Plan { edits, news: vec![news] }))
    }

    fn new_role(&self, user: UserId, role: Role, readers: Vec<AccountNumber>) -> News {
        News { role: Some(role), ..News::about(user, ConversationAction::Role, readers) }
    }

    fn everybody(&self) -> Vec<AccountNumber> {
        self.found.participants.iter().map(|it| it.account).collect()
    }

    fn everybody_and(&self, one: AccountNumber) -> Vec<AccountNumber> {
        self.found.participants.iter().map(|it| it.account).chain([one]).collect()
    }

    fn room_for(&self, more: usize) -> Result<(), Fault> {
        room_for(self.found.participants.len() + more, self.limit)
    }
}

/// Whether a group may have so many participants.
///
/// # Errors
/// [`Fault::GroupFull`] when it may not.
pub(in crate::domain) fn room_for(participants: usize, limit: u32) -> Result<(), Fault> {
    match participants <= limit as usize {
        true => Ok(()),
        false => Err(Fault::GroupFull { limit }),
    }
}

fn some_unless_empty(plan: Plan) -> Option<Plan> {
    (plan != Plan::default()).then_some(plan)
}

fn at_least(me: &Participant, role: Role) -> Result<(), Fault> {
    match role {
        _ if me.role >= role => Ok(()),
        Role::Owner => Err(Fault::forbidden("the group's owner alone may do this")),
        Role::Admin | Role::Member => {
            Err(Fault::forbidden("the group's owner and its admins alone may do this"))
        }
    }
}

#[cfg(test)]
mod tests;
