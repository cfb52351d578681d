//! Accounts, their profiles and their contacts, in memory.

use super::State;
use crate::domain::Fault;
use crate::domain::account::{
    Account, CreatedAccount, Dialect, IDENTITY_NUMBER, NewAccount, ProfileChange,
};
use crate::domain::changes::{ChangedContacts, Cursor, LOOK};
use crate::domain::ids::{AccountNumber, UserId};

impl State {
    /// What on file speaks against a new account.
    pub(super) fn obstacle(&self, new: &NewAccount) -> Option<Fault> {
        for other in self.accounts.values() {
            if other.id == new.id {
                return Some(Fault::conflict("user_id", "is taken"));
            }
            if (other.dialect, &other.external_name) == (new.dialect, &new.external_name) {
                return Some(Fault::conflict(IDENTITY_NUMBER, "is taken"));
            }
        }
        let mut keys: Vec<_> = self.sessions.values().map(|session| session.signing_key).collect();
        keys.extend(self.messenger.keys.keys());
        for session in &new.sessions {
            if keys.contains(&session.signing_key) {
                return Some(Fault::conflict("public_key", "is on file for a session"));
            }
            keys.push(session.signing_key);
        }
        None
    }

    pub(super) fn create_account(&mut self, new: NewAccount) -> Result<CreatedAccount, Fault> {
        if let Some(conflict) = self.obstacle(&new) {
            return Err(conflict);
        }
        let account = Account {
            number: self
                .accounts
                .last_key_value()
                .map_or(AccountNumber(1), |(last, _)| AccountNumber(last.0 + 1)),
            id: new.id,
            dialect: new.dialect,
            external_name: new.external_name,
            kind: new.kind,
            full_name: new.full_name,
            biography: String::new(),
            avatar_url: String::new(),
            created_at: new.created_at,
        };
        self.accounts.insert(account.number, account.clone());
        let sessions = new.sessions.into_iter();
        let sessions = sessions.map(|first| self.first_session(&account, first)).collect();
        Ok(CreatedAccount { account, sessions })
    }

    pub(super) fn change_profile(
        &mut self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<Account, Fault> {
        let mut mixin =
            self.accounts.values_mut().filter(|account| account.dialect == Dialect::Mixin);
        let found = mixin.find(|account| account.id == user);
        let account = found.ok_or(Fault::NotFound { what: "user" })?;
        let set = |kept: &mut String, new: Option<String>| {
            if let Some(new) = new {
                *kept = new;
            }
        };
        set(&mut account.full_name, change.full_name);
        set(&mut account.biography, change.biography);
        set(&mut account.avatar_url, change.avatar_url);
        Ok(account.clone())
    }

    pub(super) fn newest_change(&self) -> Cursor {
        self.roster_changes.last_key_value().map_or(Cursor(0), |(cursor, _)| *cursor)
    }

    pub(super) fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> ChangedContacts {
        let mut found = ChangedContacts { cursor: after, ..ChangedContacts::default() };
        let mut changes = self.roster_changes.range(Cursor(after.0 + 1)..);
        for (cursor, changed) in changes.by_ref().take(LOOK as usize) {
            found.cursor = *cursor;
            if *changed == account || self.share_a_conversation(account, *changed) {
                found.users.push(self.accounts[changed].id);
            }
            if found.users.len() >= limit as usize {
                break;
            }
        }
        found.more = changes.next().is_some();
        found
    }

    fn share_a_conversation(&self, one: AccountNumber, other: AccountNumber) -> bool {
        self.conversations.values().any(|conversation| {
            let has = |account| conversation.participants.iter().any(|it| it.account == account);
            has(one) && has(other)
        })
    }
}
