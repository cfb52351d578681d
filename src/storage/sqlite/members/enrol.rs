//! Enrolling devices, each in one transaction with what allows it.

use sqlx::{SqliteConnection, query};

use super::devices;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::messenger::member::{Permit, new_one_time_keys};
use crate::domain::messenger::{EnrolledDevice, MemberDevice, NewEnrolment};
use crate::storage::error::{StoreError, during};
use crate::storage::records;
use crate::storage::sqlite::one_time_keys;
use crate::storage::sqlite::rows::value;

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[CIRCUMSTANCES, OLD, FORGET];

/// Everything that can speak against an enrolment.
const CIRCUMSTANCES: &str = "
    SELECT accounts.number, accounts.created_at, members.enrols_itself,
        members.had_device,
        (SELECT count(*) FROM member_devices WHERE account = accounts.number) AS devices,
        (SELECT count(*) FROM used_enrolments WHERE hash = ?2) AS tokens_used,
        (SELECT count(*) FROM member_devices
            WHERE session = ?3 AND account = accounts.number) AS signers_live,
        (SELECT count(*) FROM sessions WHERE signing_key = ?4) AS keys_on_file
    FROM accounts CROSS JOIN members ON members.account = accounts.number
    WHERE accounts.id = ?1 AND members.relay = ''";

/// Enrols a device that nothing speaks against.
pub(super) async fn enrol(
    new: &NewEnrolment,
    connection: &mut SqliteConnection,
) -> Result<Result<EnrolledDevice, Fault>, StoreError> {
    let (hash, signer) = match &new.permit {
        Permit::Token { hash, .. } => (Some(hash.to_vec()), None),
        Permit::First { .. } => (None, None),
        Permit::Device(signer) => (None, Some(signer.0)),
    };
    let row = query(CIRCUMSTANCES)
        .bind(&new.user.as_bytes()[..])
        .bind(hash)
        .bind(signer)
        .bind(&new.signing_key.to_bytes()[..])
        .fetch_optional(&mut *connection)
        .await
        .map_err(during("enrolling a device"))?;
    let Some(row) = row else {
        return Ok(Err(Fault::NotFound { what: "user" }));
    };
    let obstacle = new.check(&records::circumstances(&row)?);
    let keys = new_one_time_keys(&new.one_time_keys, &[], &[], u32::MAX);
    let keys = match obstacle.and(keys) {
        Ok(keys) => keys,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    if let Permit::Token { hash, until } = new.permit {
        use_token(hash, until, connection).await?;
    }
    let account = AccountNumber(value(&row, "number")?);
    let signing_key = Some(new.signing_key.to_bytes().to_vec());
    let session = add_session(new.id, account, signing_key, new.at, connection).await?;
    let device = devices::Row {
        session,
        account,
        identity_key: &new.identity_key,
        agreement_key: &new.agreement_key,
        signed_key: &new.signed.key,
        signed_signature: &new.signed.signature,
        label: new.label.as_deref(),
        id_there: None,
    };
    devices::add(device, connection).await?;
    one_time_keys::append(session, 0, &keys, connection).await?;
    let device = MemberDevice {
        session,
        id: new.id,
        identity_key: new.identity_key.clone(),
        agreement_key: new.agreement_key.clone(),
        signed: new.signed.clone(),
        label: new.label.clone(),
        is_strong: false,
        created_at: new.at,
        last_seen_at: None,
    };
    Ok(Ok(EnrolledDevice { account, device }))
}

const USE: &str = "INSERT INTO used_enrolments (hash, expires_at) VALUES (?1, ?2)";

async fn use_token(
    hash: [u8; 16],
    until: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let used = query(USE).bind(hash.to_vec()).bind(until.as_micros()).execute(connection).await;
    used.map_err(during("using a token up"))?;
    Ok(())
}

const ADD_SESSION: &str = "
    INSERT INTO sessions (id, account, signing_key, platform, created_at)
    VALUES (?1, ?2, ?3, '', ?4)
    RETURNING number";

/// Puts a device's session on file; that of another gateway's device has no key.
pub(super) async fn add_session(
    id: SessionId,
    account: AccountNumber,
    signing_key: Option<Vec<u8>>,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<SessionNumber, StoreError> {
    let add = query(ADD_SESSION).bind(&id.as_bytes()[..]).bind(account.0).bind(signing_key);
    let row = add.bind(at.as_micros()).fetch_one(connection).await;
    Ok(SessionNumber(value(&row.map_err(during("adding a device"))?, "number")?))
}

pub(super) const OLD: &str =
    "SELECT hash FROM used_enrolments WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM used_enrolments WHERE hash IN (
        SELECT hash FROM used_enrolments WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";
