//! Members, as they are read; the changes stand in the files below.

mod devices;
mod enrol;
mod names;
mod remote;

use std::sync::Arc;

use async_trait::async_trait;
use sealpost_sdk::keys::VerifyingKey;
use sqlx::query;

use super::SqliteStore;
use super::rows::{count, id, id_list};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::messenger::{
    DeviceOwner, EnrolledDevice, ListedMember, Member, MemberDeviceChange, MemberName,
    NewEnrolment, NewMember, RemoteDevice,
};
use crate::domain::ports::Members;
use crate::storage::error::during;
use crate::storage::records::{self, member_columns};

#[cfg(test)]
pub(super) use {
    devices::STATEMENTS as OF_DEVICES, enrol::STATEMENTS as OF_ENROLMENTS,
    names::STATEMENTS as OF_NAMES, remote::STATEMENTS as OF_REMOTE,
};

/// One statement reads devices and generation together, so they belong to the same moment.
macro_rules! member {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            member_columns!(),
            " FROM accounts
              CROSS JOIN members ON members.account = accounts.number
              LEFT JOIN member_devices ON member_devices.account = accounts.number
              LEFT JOIN sessions ON sessions.number = member_devices.session
              WHERE ",
            $condition,
            " ORDER BY member_devices.session"
        )
    };
}

pub(super) const MEMBER: &str = member!("accounts.id = ?1");

pub(super) const BY_KEY: &str = member!(
    "accounts.number = (
        SELECT account FROM sessions WHERE signing_key = ?1 AND ended_at IS NULL
    )"
);

pub(super) const OWNERS: &str = "
    SELECT sessions.id AS session_id, accounts.id AS user_id
    FROM json_each(?1) AS wanted
    CROSS JOIN sessions ON sessions.id = unhex(wanted.value)
    CROSS JOIN member_devices ON member_devices.session = sessions.number
    CROSS JOIN accounts ON accounts.number = sessions.account";

pub(super) const IS_LIVE: &str = "
    SELECT count(*) AS devices FROM member_devices WHERE session = ?1";

pub(super) const NAMED: &str = "
    SELECT accounts.id FROM members CROSS JOIN accounts ON accounts.number = members.account
    WHERE members.relay = ?1 AND members.name = ?2 AND members.had_device = 1";

pub(super) const PAGE: &str = "
    SELECT members.account, accounts.id AS user_id, members.name, accounts.created_at
    FROM members CROSS JOIN accounts ON accounts.number = members.account
    WHERE members.relay = '' AND members.is_discoverable = 1 AND members.had_device = 1
        AND members.account > ?1
    ORDER BY members.account LIMIT ?2";

#[async_trait]
impl Members for SqliteStore {
    async fn create_member(&self, new: NewMember) -> Result<ListedMember, Fault> {
        self.change(new, |new, connection| Box::pin(names::create(new, connection))).await
    }

    async fn member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        self.fresh_member(user).await
    }

    async fn fresh_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        let rows = query(MEMBER).bind(&user.as_bytes()[..]).fetch_all(&self.readers).await;
        Ok(records::member(&rows.map_err(during("reading a member"))?)?.map(Arc::new))
    }

    async fn member_named(
        &self,
        name: &MemberName,
        relay: Option<&str>,
    ) -> Result<Option<UserId>, Fault> {
        let found = query(NAMED).bind(relay.unwrap_or_default()).bind(name.as_str());
        let row = found.fetch_optional(&self.readers).await;
        let row = row.map_err(during("looking for a name"))?;
        Ok(row.as_ref().map(|row| id(row, "id")).transpose()?)
    }

    async fn list_members(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<ListedMember>, Fault> {
        let after = after.map_or(0, |number| number.0);
        let rows = query(PAGE).bind(after).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("listing members"))?;
        Ok(rows.iter().map(records::listed_member).collect::<Result<_, _>>()?)
    }

    async fn set_discoverable(
        &self,
        account: AccountNumber,
        is_discoverable: bool,
    ) -> Result<(), Fault> {
        self.change((account, is_discoverable), |input, connection| {
            Box::pin(names::set_discoverable(input, connection))
        })
        .await
    }

    async fn member_device(&self, key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault> {
        let rows = query(BY_KEY).bind(&key.to_bytes()[..]).fetch_all(&self.readers).await;
        Ok(records::device_owner(&rows.map_err(during("looking for a device"))?, key)?)
    }

    async fn device_owners(&self, ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault> {
        let list = id_list(ids.iter().copied());
        let rows = query(OWNERS).bind(list).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for devices' owners"))?;
        let owner = |row| Ok::<_, Fault>((id(row, "session_id")?, id(row, "user_id")?));
        rows.iter().map(owner).collect()
    }

    async fn member_device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        let found = query(IS_LIVE).bind(session.0).fetch_one(&self.readers).await;
        Ok(count(&found.map_err(during("looking for a device"))?, "devices")? > 0)
    }

    async fn enrol(&self, new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        self.change(new, |new, connection| Box::pin(enrol::enrol(new, connection))).await
    }

    async fn change_member_device(
        &self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) -> Result<(), Fault> {
        self.change((session, change), |input, connection| {
            Box::pin(devices::change(input, connection))
        })
        .await
    }

    async fn end_member_device(
        &self,
        account: AccountNumber,
        device: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.fill((account, device, at), 0, |input, connection, inboxes| {
            Box::pin(devices::end_one(input, connection, inboxes))
        })
        .await
    }

    async fn delete_member(
        &self,
        account: AccountNumber,
        at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault> {
        self.fill((account, at), 0, |input, connection, inboxes| {
            Box::pin(names::delete(input, connection, inboxes))
        })
        .await
    }

    async fn note_remote_device(&self, device: RemoteDevice) -> Result<DeviceOwner, Fault> {
        let user = device.user;
        let session = self
            .change(device, |device, connection| Box::pin(remote::note(device, connection)))
            .await?;
        let member = self.fresh_member(user).await?;
        let missing = || Fault::internal("noting a device", "it is not there");
        DeviceOwner::of(member.ok_or_else(missing)?, session).ok_or_else(missing)
    }

    async fn forget_guests(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let due = query(remote::ANY_GUEST).bind(now.as_micros());
        let due = due.fetch_optional(&self.readers).await;
        if due.map_err(during("looking for other gateways' members"))?.is_none() {
            return Ok(Vec::new());
        }
        self.change((now, limit), |input, connection| {
            Box::pin(remote::forget_guests(input, connection))
        })
        .await
    }

    async fn forget_enrolments(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let old = query(enrol::OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for used tokens"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(enrol::FORGET, "forgetting used tokens", now, limit).await
    }

    async fn forget_idle_members(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let idle =
            query(names::ONE_IDLE).bind(before.as_micros()).fetch_optional(&self.readers).await;
        if idle.map_err(during("looking for accounts that were never used"))?.is_none() {
            return Ok(0);
        }
        self.change((before, limit), |input, connection| {
            Box::pin(names::forget_idle(input, connection))
        })
        .await
    }
}
