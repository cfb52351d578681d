//! Phones, as they are read; the changes stand in the files below.

mod contacts;
mod devices;
mod register;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::query;

use self::register::Unlinking;
use super::PostgresStore;
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    Contact, ContactToken, DeviceChange, DeviceNumber, NewLink, NewPhone, Phone, PhoneNumber,
    Registered, RelayContact,
};
use crate::domain::ports::Phones;
use crate::storage::error::during;
use crate::storage::records::{self, device_columns};

#[cfg(test)]
pub(super) use {contacts::STATEMENTS as OF_CONTACTS, devices::STATEMENTS as OF_DEVICES};

/// One statement reads devices and generation together, so they belong to the same moment.
pub(super) const PHONE: &str = concat!(
    "SELECT ",
    device_columns!(),
    " FROM accounts
      JOIN phones ON phones.account = accounts.number
      LEFT JOIN devices ON devices.account = accounts.number
      LEFT JOIN sessions ON sessions.number = devices.session
      WHERE accounts.dialect = $1 AND accounts.external_name = $2
      ORDER BY devices.number"
);

pub(super) const IS_LIVE: &str = "
    SELECT count(*) AS devices FROM devices WHERE session = $1";

pub(super) const INBOX: &str = "
    SELECT devices.account, devices.session
    FROM sessions JOIN devices ON devices.session = sessions.number
    WHERE sessions.id = $1";

const COUNT: &str = "SELECT count(*) AS phones FROM phones";

/// Accounts are looked up for the page alone, and not for all that is passed over.
const PAGE: &str = "
    SELECT accounts.external_name, page.token, page.supports_sms, page.is_listed
    FROM (
        SELECT account, token, supports_sms, is_listed FROM phones
        ORDER BY account LIMIT $2 OFFSET $1
    ) AS page
    JOIN accounts ON accounts.number = page.account
    ORDER BY page.account";

#[async_trait]
impl Phones for PostgresStore {
    async fn phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        self.fresh_phone(number).await
    }

    async fn fresh_phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        let rows = query(PHONE).bind(Dialect::TextSecure.as_str()).bind(number.as_str());
        let rows = rows.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("reading a phone"))?;
        Ok(records::phone(&rows)?.map(Arc::new))
    }

    async fn register_phone(&self, new: NewPhone) -> Result<Registered, Fault> {
        self.write(new, |new, link| Box::pin(register::register(new, link))).await
    }

    async fn link_device(&self, new: NewLink) -> Result<Registered, Fault> {
        self.write(new, |new, link| Box::pin(register::link(new, link))).await
    }

    async fn unlink_device(
        &self,
        account: AccountNumber,
        device: DeviceNumber,
        first: SessionNumber,
        at: Timestamp,
    ) -> Result<Registered, Fault> {
        let input = Unlinking { account, device, first, at };
        self.write(input, |input, link| Box::pin(register::unlink(input, link))).await
    }

    async fn change_device(
        &self,
        session: SessionNumber,
        change: DeviceChange,
    ) -> Result<(), Fault> {
        let input = (session, change);
        self.write(input, |input, link| Box::pin(devices::change(input, link))).await
    }

    async fn device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        let found = query(IS_LIVE).bind(session.0).fetch_one(&mut self.reader().await?).await;
        Ok(count(&found.map_err(during("looking for a device"))?, "devices")? > 0)
    }

    async fn device_inbox(&self, session: SessionId) -> Result<Option<InboxKey>, Fault> {
        let row = query(INBOX)
            .bind(session.as_bytes().to_vec())
            .fetch_optional(&mut self.reader().await?)
            .await;
        let Some(row) = row.map_err(during("looking for a device"))? else { return Ok(None) };
        let (account, session) = (value(&row, "account")?, value(&row, "session")?);
        let (account, session) = (AccountNumber(account), SessionNumber(session));
        Ok(Some(InboxKey { shard: account.shard(), session }))
    }

    async fn contacts(&self, tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault> {
        Ok(contacts::find(&mut self.reader().await?, tokens).await?)
    }

    async fn count_phones(&self) -> Result<u64, Fault> {
        let row = query(COUNT).fetch_one(&mut self.reader().await?).await;
        Ok(count(&row.map_err(during("counting phones"))?, "phones")?)
    }

    async fn list_phones(&self, offset: u64, limit: u32) -> Result<Vec<ListedPhone>, Fault> {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let page = query(PAGE).bind(offset).bind(i64::from(limit));
        let rows = page.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("listing phones"))?;
        Ok(rows.iter().map(records::listed_phone).collect::<Result<_, _>>()?)
    }

    async fn merge_contacts(&self, relay: &str, contacts: Vec<RelayContact>) -> Result<(), Fault> {
        self.write((relay.to_owned(), contacts), |input, link| {
            Box::pin(contacts::merge(input, link))
        })
        .await
    }

    async fn listed_relays(&self) -> Result<Vec<String>, Fault> {
        Ok(contacts::relays(&mut self.reader().await?).await?)
    }

    async fn forget_contacts(&self, relay: &str, limit: u32) -> Result<u64, Fault> {
        self.tidy((relay.to_owned(), limit), |input, link| Box::pin(contacts::forget(input, link)))
            .await
    }
}
