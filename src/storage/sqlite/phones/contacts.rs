//! Who is listed.

use std::collections::HashMap;
use std::fmt::Write;

use sqlx::{SqliteConnection, SqlitePool, query};

use crate::domain::Fault;
use crate::domain::phone::{Contact, ContactToken, RelayContact};
use crate::storage::error::{StoreError, during};
use crate::storage::records;
use crate::storage::sqlite::rows::{json_list, value};

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[FIND, MERGE, REMOVE, RELAYS, FORGET];

/// Those that are here come first.
const FIND: &str = "
    SELECT phones.token, NULL AS relay, phones.supports_sms
    FROM json_each(?1) AS wanted CROSS JOIN phones ON phones.token = unhex(wanted.value)
    WHERE phones.is_listed = 1
    UNION ALL
    SELECT relay_contacts.token, relay_contacts.relay, relay_contacts.supports_sms
    FROM json_each(?1) AS wanted
    CROSS JOIN relay_contacts ON relay_contacts.token = unhex(wanted.value)";

/// The listed ones among these, in their order.
pub(super) async fn find(
    readers: &SqlitePool,
    tokens: &[ContactToken],
) -> Result<Vec<Contact>, StoreError> {
    let list = json_list(tokens, |json, token| write!(json, "\"{}\"", hex(*token)));
    let rows = query(FIND).bind(list).fetch_all(readers).await;
    let mut found: HashMap<ContactToken, Contact> = HashMap::new();
    for row in rows.map_err(during("looking for contacts"))? {
        let contact = records::contact(&row)?;
        found.entry(contact.token).or_insert(contact);
    }
    Ok(tokens.iter().filter_map(|token| found.get(token).cloned()).collect())
}

fn hex(ContactToken(bytes): ContactToken) -> String {
    bytes.iter().fold(String::with_capacity(20), |mut hex, byte| {
        // Writing into a string cannot fail.
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

/// Nobody takes what is here, or is another gateway's.
const MERGE: &str = "
    INSERT INTO relay_contacts (token, relay, supports_sms)
    SELECT unhex(value ->> 0), ?2, value ->> 1 FROM json_each(?1) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM phones WHERE phones.token = unhex(value ->> 0) AND phones.is_listed = 1
    )
    ON CONFLICT (token) DO UPDATE SET supports_sms = excluded.supports_sms
        WHERE relay_contacts.relay = excluded.relay";

const REMOVE: &str = "
    DELETE FROM relay_contacts
    WHERE token IN (SELECT unhex(value) FROM json_each(?1)) AND relay = ?2";

/// Notes what another gateway says.
pub(super) async fn merge(
    (relay, contacts): &(String, Vec<RelayContact>),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let doing = "noting another gateway's contacts";
    let (active, gone): (Vec<&RelayContact>, Vec<_>) =
        contacts.iter().partition(|contact| contact.is_active);
    let active = json_list(active, |json, contact| {
        write!(json, "[\"{}\",{}]", hex(contact.token), u8::from(contact.supports_sms))
    });
    let merged = query(MERGE).bind(active).bind(relay.as_str()).execute(&mut *connection).await;
    merged.map_err(during(doing))?;
    let gone = json_list(gone, |json, contact| write!(json, "\"{}\"", hex(contact.token)));
    let removed = query(REMOVE).bind(gone).bind(relay.as_str()).execute(connection).await;
    removed.map_err(during(doing))?;
    Ok(Ok(()))
}

/// From one name to the next along the index.
const RELAYS: &str = "
    WITH RECURSIVE named (relay) AS (
        SELECT min(relay) FROM relay_contacts
        UNION ALL
        SELECT (SELECT min(relay) FROM relay_contacts WHERE relay > named.relay)
        FROM named WHERE named.relay IS NOT NULL
    )
    SELECT relay FROM named WHERE relay IS NOT NULL";

/// The gateways that somebody is listed for.
pub(super) async fn relays(readers: &SqlitePool) -> Result<Vec<String>, StoreError> {
    let rows = query(RELAYS).fetch_all(readers).await.map_err(during("looking for relays"))?;
    rows.iter().map(|row| value(row, "relay")).collect()
}

const FORGET: &str = "
    DELETE FROM relay_contacts WHERE token IN (
        SELECT token FROM relay_contacts WHERE relay = ?1 LIMIT ?2
    )";

/// Forgets some of a gateway's contacts.
pub(super) async fn forget(
    (relay, limit): &(String, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(relay.as_str()).bind(limit).execute(connection).await;
    Ok(Ok(forgotten.map_err(during("forgetting contacts"))?.rows_affected()))
}
