//! Rows about phones.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    Contact, ContactToken, Device, DeviceNumber, OutboxCode, PasswordHash, PendingCode, Phone,
    PhoneNumber, PushAddress, PushKind, RelayContact, Transport,
};
use crate::domain::prekeys::{Prekey, SignedPrekey};
use crate::domain::vault::Sealed;
use crate::storage::cells::{Cells, array, flag, id, small, time};
use crate::storage::error::StoreError;

/// The columns of a phone and of one of its devices, under the names that [`phone`] reads.
macro_rules! device_columns {
    () => {
        "accounts.number AS account, accounts.id AS user_id, accounts.external_name, \
         accounts.roster_generation, phones.supports_sms, phones.identity_key, devices.session, \
         devices.number, devices.password, devices.signalling_key, devices.registration, \
         devices.fetches, devices.push_kind, devices.push_address, devices.name, \
         sessions.id AS session_id, sessions.created_at, sessions.last_seen_at"
    };
}
pub(in crate::storage) use device_columns;

/// A phone from a row for each of its devices, in the order of their numbers; one that has none has
/// a row as well.
pub(in crate::storage) fn phone(rows: &[impl Cells]) -> Result<Option<Phone>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let devices = rows.iter().map(device).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Some(Phone {
        account: AccountNumber(first.integer("account")?),
        user: id(first, "user_id")?,
        number: PhoneNumber::from_stored(first.text("external_name")?.to_owned()),
        generation: first.integer("roster_generation")?,
        supports_sms: flag(first, "supports_sms")?,
        identity_key: first.optional_text("identity_key")?.map(str::to_owned),
        devices: devices.into_iter().flatten().collect(),
    }))
}

fn device(row: &impl Cells) -> Result<Option<Device>, StoreError> {
    let Some(session) = row.optional_integer("session")? else { return Ok(None) };
    let last_seen = row.integer("last_seen_at")?;
    Ok(Some(Device {
        session: SessionNumber(session),
        id: id(row, "session_id")?,
        number: DeviceNumber(small(row, "number")?),
        password: PasswordHash(row.text("password")?.to_owned()),
        signalling_key: Sealed(row.blob("signalling_key")?.to_vec()),
        registration: small(row, "registration")?,
        fetches: flag(row, "fetches")?,
        push: push(row)?,
        name: row.optional_text("name")?.map(str::to_owned),
        created_at: time(row, "created_at")?,
        last_seen_at: (last_seen > 0).then(|| Timestamp::from_micros(last_seen)),
    }))
}

fn push(row: &impl Cells) -> Result<Option<PushAddress>, StoreError> {
    let kind = row.optional_text("push_kind")?;
    let Some((kind, address)) = kind.zip(row.optional_blob("push_address")?) else {
        return Ok(None);
    };
    let kind = PushKind::from_name(kind);
    let kind = kind.ok_or(StoreError::Corrupt { column: "devices.push_kind" })?;
    Ok(Some(PushAddress { kind, address: Sealed(address.to_vec()) }))
}

/// Somebody who is listed.
pub(in crate::storage) fn contact(row: &impl Cells) -> Result<Contact, StoreError> {
    Ok(Contact {
        token: ContactToken(array(row, "token")?),
        relay: row.optional_text("relay")?.map(str::to_owned),
        supports_sms: flag(row, "supports_sms")?,
    })
}

/// A phone as it may be listed elsewhere.
pub(in crate::storage) fn listed_phone(row: &impl Cells) -> Result<ListedPhone, StoreError> {
    Ok(ListedPhone {
        number: PhoneNumber::from_stored(row.text("external_name")?.to_owned()),
        contact: RelayContact {
            token: ContactToken(array(row, "token")?),
            supports_sms: flag(row, "supports_sms")?,
            is_active: flag(row, "is_listed")?,
        },
    })
}

/// A prekey from two columns, which are both there or none.
pub(in crate::storage) fn prekey(
    row: &impl Cells,
    id: &'static str,
    key: &'static str,
) -> Result<Option<Prekey>, StoreError> {
    let pair = row.optional_integer(id)?.zip(row.optional_text(key)?);
    Ok(pair.map(|(id, key)| Prekey { id, public_key: key.to_owned() }))
}

/// The signed prekey of a device, if it has one.
pub(in crate::storage) fn signed_prekey(
    row: &impl Cells,
) -> Result<Option<SignedPrekey>, StoreError> {
    let signed = prekey(row, "signed_id", "signed_key")?;
    let signed = signed.zip(row.optional_text("signed_signature")?);
    Ok(signed.map(|(Prekey { id, public_key }, signature)| SignedPrekey {
        id,
        public_key,
        signature: signature.to_owned(),
    }))
}

/// A code that was tried.
pub(in crate::storage) fn pending_code(row: &impl Cells) -> Result<PendingCode, StoreError> {
    let code = Sealed(row.blob("code")?.to_vec());
    Ok(PendingCode { code, attempts: small(row, "attempts")? })
}

/// A code that the operator has to hand over.
pub(in crate::storage) fn outbox_code(row: &impl Cells) -> Result<OutboxCode, StoreError> {
    let transport = Transport::from_name(row.text("outbox")?);
    Ok(OutboxCode {
        number: PhoneNumber::from_stored(row.text("number")?.to_owned()),
        transport: transport.ok_or(StoreError::Corrupt { column: "codes.outbox" })?,
        code: Sealed(row.blob("code")?.to_vec()),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
    })
}
