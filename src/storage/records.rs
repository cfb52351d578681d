//! What rows of both databases stand for: their statements give the columns the same names.

mod chats;
mod dropboxes;
mod members;
mod nodes;
mod phones;

use std::sync::Arc;

use super::cells::{
    Cells, agreement_key, array, bytes, id, optional_array, optional_id, small, time,
};
use super::error::StoreError;
use super::packed::unpack_details;
use crate::domain::acknowledge::Acknowledged;
use crate::domain::attachment::{Attachment, Content};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, ConversationCategory, Participant, Role};
use crate::domain::idempotency::{Claimed, RequestClaim, StoredAnswer};
use crate::domain::ids::{AccountNumber, ConversationNumber, Order, SessionNumber, UserId};
use crate::domain::inbox::{SetAside, StuckInbox, Waiting};
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::sign_up::Invite;
pub(super) use chats::{chats, introduction, introduction_head, on_file, receipt};
pub(super) use dropboxes::{
    drop_box, drop_box_columns, drop_letter, drop_letter_columns, drop_message,
    drop_message_columns, file, gone, gone_columns, standing, version_number,
};
pub(super) use members::{circumstances, device_owner, listed_member, member, member_columns};
pub(super) use nodes::{known_node, letter, line};
pub(super) use phones::{
    contact, device_columns, listed_phone, outbox_code, pending_code, phone, prekey, signed_prekey,
};

/// Conversations from a row for each participant; those of one conversation follow each other, and
/// one that nobody takes part in has a row as well.
#[derive(Default)]
pub(super) struct Conversations(Vec<Conversation>);

impl Conversations {
    /// Takes the next row.
    pub(super) fn add(&mut self, row: &impl Cells) -> Result<(), StoreError> {
        let number = ConversationNumber(row.integer("number")?);
        if self.0.last().is_none_or(|last| last.number != number) {
            self.0.push(conversation(row, number)?);
        }
        if let Some(last) = self.0.last_mut() {
            last.participants.extend(participant(row)?);
        }
        Ok(())
    }

    /// What the rows said, with participants in the order in which they came.
    pub(super) fn done(mut self) -> Vec<Conversation> {
        for conversation in &mut self.0 {
            conversation.participants.sort_by_key(|one| (one.joined_at, one.account));
        }
        self.0
    }
}

fn conversation(row: &impl Cells, number: ConversationNumber) -> Result<Conversation, StoreError> {
    let category = ConversationCategory::from_name(row.text("category")?);
    Ok(Conversation {
        number,
        id: id(row, "id")?,
        category: category.ok_or(StoreError::Corrupt { column: "conversations.category" })?,
        creator: id(row, "creator")?,
        created_at: time(row, "created_at")?,
        generation: row.integer("generation")?,
        name: row.text("name")?.to_owned(),
        announcement: row.text("announcement")?.to_owned(),
        code: optional_id(row, "code")?,
        expire_in: row.integer("expire_in")?,
        participants: Vec::new(),
    })
}

fn participant(row: &impl Cells) -> Result<Option<Participant>, StoreError> {
    let Some(account) = row.optional_integer("account")? else {
        return Ok(None);
    };
    let role = Role::from_name(row.text("role")?);
    Ok(Some(Participant {
        role: role.ok_or(StoreError::Corrupt { column: "participants.role" })?,
        account: AccountNumber(account),
        user: id(row, "user_id")?,
        joined_at: time(row, "joined_at")?,
        muted_until: row.optional_integer("muted_until")?.map(Timestamp::from_micros),
    }))
}

/// A row of a roster: an account, and one of its sessions if it has any.
struct RosterRow {
    account: AccountNumber,
    user: UserId,
    generation: i64,
    member: Option<RosterMember>,
}

/// Rosters from a row for each session; those of one account follow each other.
#[derive(Default)]
pub(super) struct Rosters(Vec<RosterRow>);

impl Rosters {
    /// Takes the next row.
    pub(super) fn add(&mut self, row: &impl Cells) -> Result<(), StoreError> {
        self.0.push(roster_row(row)?);
        Ok(())
    }

    /// What the rows said.
    pub(super) fn done(self) -> Vec<Arc<Roster>> {
        let accounts = self.0.chunk_by(|one, next| one.account == next.account);
        accounts.filter_map(roster).collect()
    }
}

fn roster(rows: &[RosterRow]) -> Option<Arc<Roster>> {
    let first = rows.first()?;
    let members = rows.iter().filter_map(|row| row.member.clone()).collect();
    Some(Arc::new(Roster::new(first.account, first.user, first.generation, members)))
}

fn roster_row(row: &impl Cells) -> Result<RosterRow, StoreError> {
    let member = match optional_id(row, "session_id")? {
        None => None,
        Some(session) => Some(RosterMember {
            session,
            number: SessionNumber(row.integer("session")?),
            key: agreement_key(row, "agreement_key")?,
            platform: row.text("platform")?.to_owned(),
        }),
    };
    Ok(RosterRow {
        account: AccountNumber(row.integer("account")?),
        user: id(row, "user_id")?,
        generation: row.integer("roster_generation")?,
        member,
    })
}

/// A message as the row says that it waits, with how often it had been handed out before.
pub(super) fn waiting(row: &impl Cells) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        order: Order(row.integer("number")?),
        message_id: id(row, "message_id")?,
        conversation: optional_id(row, "conversation")?,
        sender: id(row, "sender")?,
        sender_session: id(row, "sender_session")?,
        category: row.text("category")?.to_owned(),
        body: bytes(row, "body")?,
        slot: bytes(row, "slot")?,
        details: unpack_details(row.blob("details")?)?,
        accepted_at: time(row, "accepted_at")?,
        deliveries: small(row, "deliveries")?,
    })
}

/// An inbox in which something is set aside.
pub(super) fn stuck_inbox(row: &impl Cells) -> Result<StuckInbox, StoreError> {
    Ok(StuckInbox {
        user: id(row, "owner")?,
        session: id(row, "session")?,
        messages: u64::try_from(row.integer("messages")?).unwrap_or(0),
        since: time(row, "since")?,
    })
}

/// A message that is set aside.
pub(super) fn set_aside(row: &impl Cells) -> Result<SetAside, StoreError> {
    Ok(SetAside {
        message_id: id(row, "message_id")?,
        conversation: optional_id(row, "conversation")?,
        sender: id(row, "sender")?,
        category: row.text("category")?.to_owned(),
        accepted_at: time(row, "accepted_at")?,
        deliveries: small(row, "deliveries")?,
        at: time(row, "set_aside_at")?,
    })
}

/// A message that may be acknowledged, and where it stands.
pub(super) fn acknowledged(row: &impl Cells) -> Result<(Order, Acknowledged), StoreError> {
    let gone = Acknowledged {
        message_id: id(row, "message_id")?,
        sender: AccountNumber(row.integer("sender_account")?),
        category: row.text("category")?.to_owned(),
    };
    Ok((Order(row.integer("number")?), gone))
}

/// What is on file for a claimed request, when that is an answer to the claim.
pub(super) fn claimed(
    row: &impl Cells,
    claim: &RequestClaim,
) -> Result<Option<Claimed>, StoreError> {
    let status = row.optional_integer("status")?;
    let lapsed = status.is_none() && time(row, "claimed_until")? <= claim.now;
    if lapsed || time(row, "expires_at")? <= claim.now {
        return Ok(None);
    }
    if array::<32>(row, "digest")? != claim.digest {
        return Ok(Some(Claimed::Differs));
    }
    let Some(status) = status else { return Ok(Some(Claimed::Running)) };
    let status = u16::try_from(status);
    let status = status.map_err(|_| StoreError::Corrupt { column: "requests.status" })?;
    Ok(Some(match row.optional_blob("body")? {
        Some(body) => Claimed::Answered(StoredAnswer { status, body: body.to_vec().into() }),
        None => Claimed::Done,
    }))
}

/// An attachment, uploaded or not.
pub(super) fn attachment(row: &impl Cells) -> Result<Attachment, StoreError> {
    let length = row.optional_integer("length")?.map(|length| {
        u64::try_from(length).map_err(|_| StoreError::Corrupt { column: "attachments.length" })
    });
    let content = length.transpose()?.zip(optional_array(row, "digest")?);
    Ok(Attachment {
        id: id(row, "id")?,
        owner: AccountNumber(row.integer("owner")?),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        content: content.map(|(length, digest)| Content { length, digest }),
    })
}

/// An invitation.
pub(super) fn invite(row: &impl Cells) -> Result<Invite, StoreError> {
    Ok(Invite {
        id: id(row, "id")?,
        uses: small(row, "uses")?,
        used: small(row, "used")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
    })
}
