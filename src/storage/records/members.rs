//! Rows about members.

use std::sync::Arc;

use sealpost_sdk::keys::VerifyingKey;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::messenger::{
    Circumstances, DeviceOwner, ListedMember, Member, MemberDevice, MemberName, SignedKey,
};
use crate::storage::cells::{Cells, count, flag, id, time};
use crate::storage::error::StoreError;

/// The columns of a member and of one of its devices, under the names that [`member`] reads.
macro_rules! member_columns {
    () => {
        "accounts.number AS account, accounts.id AS user_id, accounts.roster_generation, \
         accounts.created_at AS account_created_at, members.relay, members.name, \
         member_devices.session, member_devices.identity_key, member_devices.agreement_key, \
         member_devices.signed_key, member_devices.signed_signature, member_devices.label, \
         member_devices.is_strong, sessions.id AS session_id, sessions.signing_key, \
         sessions.created_at, sessions.last_seen_at"
    };
}
pub(in crate::storage) use member_columns;

/// A member from a row for each of its devices, the oldest first; one that has none has a row as
/// well.
pub(in crate::storage) fn member(rows: &[impl Cells]) -> Result<Option<Member>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let devices = rows.iter().map(device).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Some(Member {
        account: AccountNumber(first.integer("account")?),
        user: id(first, "user_id")?,
        name: name(first)?,
        relay: relay(first)?,
        generation: first.integer("roster_generation")?,
        created_at: time(first, "account_created_at")?,
        devices: devices.into_iter().flatten().collect(),
    }))
}

/// The same, and which of its devices signs with that key.
pub(in crate::storage) fn device_owner(
    rows: &[impl Cells],
    key: &VerifyingKey,
) -> Result<Option<DeviceOwner>, StoreError> {
    let key = key.to_bytes();
    for row in rows {
        if row.optional_blob("signing_key")? == Some(&key[..]) {
            let session = row.optional_integer("session")?.map(SessionNumber);
            let owner = session.zip(member(rows)?.map(Arc::new));
            return Ok(owner.and_then(|(session, member)| DeviceOwner::of(member, session)));
        }
    }
    Ok(None)
}

fn device(row: &impl Cells) -> Result<Option<MemberDevice>, StoreError> {
    let Some(session) = row.optional_integer("session")? else { return Ok(None) };
    let last_seen = row.integer("last_seen_at")?;
    Ok(Some(MemberDevice {
        session: SessionNumber(session),
        id: id(row, "session_id")?,
        identity_key: row.text("identity_key")?.to_owned(),
        agreement_key: row.text("agreement_key")?.to_owned(),
        signed: SignedKey {
            key: row.text("signed_key")?.to_owned(),
            signature: row.text("signed_signature")?.to_owned(),
        },
        label: row.optional_text("label")?.map(str::to_owned),
        is_strong: flag(row, "is_strong")?,
        created_at: time(row, "created_at")?,
        last_seen_at: (last_seen > 0).then(|| Timestamp::from_micros(last_seen)),
    }))
}

fn name(row: &impl Cells) -> Result<MemberName, StoreError> {
    Ok(MemberName::from_stored(row.text("name")?.to_owned()))
}

/// The gateway that somebody belongs to, unless it is this one.
pub(super) fn relay(row: &impl Cells) -> Result<Option<String>, StoreError> {
    let relay = row.optional_text("relay")?.filter(|relay| !relay.is_empty());
    Ok(relay.map(str::to_owned))
}

/// A member as it is listed.
pub(in crate::storage) fn listed_member(row: &impl Cells) -> Result<ListedMember, StoreError> {
    Ok(ListedMember {
        account: AccountNumber(row.integer("account")?),
        user: id(row, "user_id")?,
        name: name(row)?,
        created_at: time(row, "created_at")?,
    })
}

/// What is on file about an enrolment.
pub(in crate::storage) fn circumstances(row: &impl Cells) -> Result<Circumstances, StoreError> {
    Ok(Circumstances {
        made_at: time(row, "created_at")?,
        enrols_itself: flag(row, "enrols_itself")?,
        had_device: flag(row, "had_device")?,
        devices: count(row, "devices")?,
        is_token_used: flag(row, "tokens_used")?,
        is_signer_live: flag(row, "signers_live")?,
        is_key_on_file: flag(row, "keys_on_file")?,
    })
}
