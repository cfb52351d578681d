//! Conversations in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;

use super::{MemoryStore, Payload, Row, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::change::{Change, Changed, CodeEdit};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::notice::{Notices, SYSTEM_CONVERSATION};
use crate::domain::conversation::{
    ContactPair, Conversation, ConversationCategory, Participant, Role,
};
use crate::domain::ids::{
    AccountNumber, CodeId, ConversationId, ConversationNumber, SessionNumber,
};
use crate::domain::inbox::{Details, Waiting};
use crate::domain::ports::Conversations;

#[async_trait]
impl Conversations for MemoryStore {
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault> {
        let mut state = self.change();
        Ok(pairs.iter().map(|pair| state.ensure_contact(pair, at)).collect())
    }

    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault> {
        let state = self.state();
        let found = state.conversations.values().filter(|it| ids.contains(&it.id));
        Ok(found.cloned().collect())
    }

    async fn fresh_conversations(
        &self,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, Fault> {
        self.conversations(ids).await
    }

    async fn create_group(&self, group: NewGroup) -> Result<Changed, Fault> {
        Ok(self.change().create_group(group))
    }

    async fn change_conversation(&self, change: Change) -> Result<Changed, Fault> {
        Ok(self.change().change_conversation(change))
    }

    async fn conversation_by_code(&self, code: CodeId) -> Result<Option<ConversationId>, Fault> {
        let state = self.state();
        let found = state.conversations.values().find(|it| it.code == Some(code));
        Ok(found.map(|it| it.id))
    }

    async fn mute(
        &self,
        _id: ConversationId,
        conversation: ConversationNumber,
        account: AccountNumber,
        until: Option<Timestamp>,
    ) -> Result<(), Fault> {
        let mut state = self.change();
        let found = state.conversations.get_mut(&conversation);
        let mut participants = found.into_iter().flat_map(|it| &mut it.participants);
        if let Some(participant) = participants.find(|it| it.account == account) {
            participant.muted_until = until;
        }
        Ok(())
    }
}

impl State {
    pub(super) fn ensure_contact(
        &mut self,
        pair: &ContactPair,
        at: Timestamp,
    ) -> ConversationNumber {
        if let Some(found) = self.conversations.values().find(|it| it.id == pair.id) {
            return found.number;
        }
        let sides = [pair.creator, pair.other].map(|side| self.participant(side, Role::Member, at));
        let mut contact = self.conversation(pair.id, pair.creator, at);
        contact.category = ConversationCategory::Contact;
        contact.participants = sides.into();
        let number = contact.number;
        self.conversations.insert(number, contact);
        number
    }

    /// A group that nobody takes part in yet.
    fn conversation(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        at: Timestamp,
    ) -> Conversation {
        Conversation {
            number: ConversationNumber(self.conversations.len() as i64 + 1),
            id,
            category: ConversationCategory::Group,
            creator: self.accounts[&creator].id,
            created_at: at,
            generation: 0,
            name: String::new(),
            announcement: String::new(),
            code: None,
            expire_in: 0,
            participants: Vec::new(),
        }
    }

    fn participant(&self, account: AccountNumber, role: Role, at: Timestamp) -> Participant {
        let user = self.accounts[&account].id;
        Participant { account, user, role, joined_at: at, muted_until: None }
    }

    fn create_group(&mut self, new: NewGroup) -> Changed {
        if self.conversations.values().any(|it| it.id == new.id) {
            return Changed::Moved;
        }
        let at = new.notices.at;
        let mut group = self.conversation(new.id, new.creator, at);
        group.name = new.name;
        group.announcement = new.announcement;
        group.code = Some(new.code);
        group.participants =
            new.participants.iter().map(|(it, role)| self.participant(*it, *role, at)).collect();
        in_order(&mut group.participants);
        let number = group.number;
        self.conversations.insert(number, group);
        Changed::Made(self.leave_notices(new.id, new.notices))
    }

    fn change_conversation(&mut self, change: Change) -> Changed {
        let Change { conversation, id, generation, edits, notices } = change;
        let new = edits.add.iter();
        let new: Vec<_> =
            new.map(|(account, role)| self.participant(*account, *role, notices.at)).collect();
        let found = self.conversations.get_mut(&conversation);
        let Some(found) = found.filter(|found| found.generation == generation) else {
            return Changed::Moved;
        };
        found.generation += 1;
        found.participants.retain(|it| !edits.remove.contains(&it.account));
        found.participants.extend(new);
        in_order(&mut found.participants);
        for participant in &mut found.participants {
            let mut roles = edits.roles.iter();
            if let Some((_, role)) = roles.find(|(account, _)| *account == participant.account) {
                participant.role = *role;
            }
        }
        found.name = edits.name.unwrap_or(std::mem::take(&mut found.name));
        found.announcement = edits.announcement.unwrap_or(std::mem::take(&mut found.announcement));
        found.expire_in = edits.expire_in.unwrap_or(found.expire_in);
        found.code = match edits.code {
            CodeEdit::Keep => found.code,
            CodeEdit::New(code) => Some(code),
            CodeEdit::Void => None,
        };
        Changed::Made(self.leave_notices(id, notices))
    }

    fn leave_notices(&mut self, id: ConversationId, notices: Notices) -> Vec<SessionNumber> {
        let mut woken = BTreeSet::new();
        for notice in notices.list {
            let live = self.sessions.values().filter(|session| session.is_live());
            let readers = live.filter(|session| notice.readers.contains(&session.account));
            let readers: Vec<SessionNumber> = readers.map(|session| session.number).collect();
            if readers.is_empty() {
                continue;
            }
            let order = self.next_order();
            let message = Waiting {
                order,
                message_id: notice.message_id,
                conversation: Some(id),
                sender: self.accounts[&notices.sender].id,
                sender_session: self.sessions[&notices.sender_session].id,
                category: SYSTEM_CONVERSATION.to_owned(),
                body: notice.body,
                slot: Bytes::new(),
                details: Details::default(),
                accepted_at: notices.at,
                deliveries: 0,
            };
            self.payloads.insert(order, Payload { message, expires_at: notices.expires_at });
            for session in readers {
                let row = Row::new(Bytes::new());
                self.inbox.insert((session, order), row);
                self.make_room(session, &notices.quota, notices.at);
                woken.insert(session);
            }
        }
        woken.into_iter().collect()
    }
}

/// As they joined.
fn in_order(participants: &mut [Participant]) {
    participants.sort_by_key(|it| (it.joined_at, it.account));
}
