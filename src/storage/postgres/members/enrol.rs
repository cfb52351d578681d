//! Enrolling devices, each in one transaction with what allows it.

use sqlx::query;

use super::devices;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::messenger::member::{Permit, new_one_time_keys};
use crate::domain::messenger::{EnrolledDevice, MemberDevice, NewEnrolment};
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::one_time_keys;
use crate::storage::postgres::rows::value;
use crate::storage::records;

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[RAISE, CIRCUMSTANCES, OLD, FORGET];

/// All who change the account's devices wait for its row.
const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1
    WHERE id = $1 AND dialect = 'hushnet'";

/// Everything that can speak against an enrolment.
const CIRCUMSTANCES: &str = "
    SELECT accounts.number, accounts.created_at, members.enrols_itself,
        members.had_device,
        (SELECT count(*) FROM member_devices WHERE account = accounts.number) AS devices,
        (SELECT count(*) FROM used_enrolments WHERE hash = $2) AS tokens_used,
        (SELECT count(*) FROM member_devices
            WHERE session = $3 AND account = accounts.number) AS signers_live,
        (SELECT count(*) FROM sessions WHERE signing_key = $4) AS keys_on_file
    FROM accounts JOIN members ON members.account = accounts.number
    WHERE accounts.id = $1 AND members.relay = ''";

/// Enrols a device that nothing speaks against.
pub(super) async fn enrol(
    new: &NewEnrolment,
    link: &mut Link<'_>,
) -> Result<Result<EnrolledDevice, Fault>, StoreError> {
    let (hash, signer) = match &new.permit {
        Permit::Token { hash, .. } => (Some(hash.to_vec()), None),
        Permit::First { .. } => (None, None),
        Permit::Device(signer) => (None, Some(signer.0)),
    };
    let doing = "enrolling a device";
    let raise = query(RAISE).bind(&new.user.as_bytes()[..]).execute(&mut *link).await;
    raise.map_err(during(doing))?;
    let row = query(CIRCUMSTANCES)
        .bind(&new.user.as_bytes()[..])
        .bind(hash)
        .bind(signer)
        .bind(&new.signing_key.to_bytes()[..])
        .fetch_optional(&mut *link)
        .await
        .map_err(during(doing))?;
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
        use_token(hash, until, link).await?;
    }
    let account = AccountNumber(value(&row, "number")?);
    let signing_key = Some(new.signing_key.to_bytes().to_vec());
    let session = add_session(new.id, account, signing_key, new.at, link).await?;
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
    devices::add(device, link).await?;
    one_time_keys::append(session, 0, &keys, link).await?;
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

const USE: &str = "INSERT INTO used_enrolments (hash, expires_at) VALUES ($1, $2)";

async fn use_token(
    hash: [u8; 16],
    until: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let used = query(USE).bind(hash.to_vec()).bind(until.as_micros()).execute(link).await;
    used.map_err(during("using a token up"))?;
    Ok(())
}

const ADD_SESSION: &str = "
    INSERT INTO sessions (id, account, signing_key, platform, created_at)
    VALUES ($1, $2, $3, '', $4)
    RETURNING number";

/// Puts a device's session on file; that of another gateway's device has no key.
pub(super) async fn add_session(
    id: SessionId,
    account: AccountNumber,
    signing_key: Option<Vec<u8>>,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<SessionNumber, StoreError> {
    let add = query(ADD_SESSION).bind(&id.as_bytes()[..]).bind(account.0).bind(signing_key);
    let row = add.bind(at.as_micros()).fetch_one(link).await;
    Ok(SessionNumber(value(&row.map_err(during("adding a device"))?, "number")?))
}

pub(super) const OLD: &str =
    "SELECT hash FROM used_enrolments WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM used_enrolments WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM used_enrolments WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ))";
