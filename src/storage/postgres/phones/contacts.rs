//! Who is listed.

use std::collections::HashMap;

use sqlx::query;

use crate::domain::Fault;
use crate::domain::phone::{Contact, ContactToken, RelayContact};
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::columns::{blobs, numbers};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::value;
use crate::storage::records;

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[FIND, REMOVE, FORGET];

const FIND: &str = "
    SELECT token, NULL::text AS relay, supports_sms FROM phones
    WHERE token = ANY ($1) AND is_listed = 1
    UNION ALL
    SELECT token, relay, supports_sms FROM relay_contacts WHERE token = ANY ($1)";

/// The listed ones among these, in their order.
pub(super) async fn find(
    link: &mut Link<'_>,
    tokens: &[ContactToken],
) -> Result<Vec<Contact>, StoreError> {
    let rows = query(FIND).bind(blobs(tokens, |token| &token.0)).fetch_all(link).await;
    let mut found: HashMap<ContactToken, Contact> = HashMap::new();
    for row in rows.map_err(during("looking for contacts"))? {
        let contact = records::contact(&row)?;
        if contact.relay.is_none() || !found.contains_key(&contact.token) {
            found.insert(contact.token, contact);
        }
    }
    Ok(tokens.iter().filter_map(|token| found.get(token).cloned()).collect())
}

/// Nobody takes what is here, or is another gateway's.
const MERGE: &str = "
    INSERT INTO relay_contacts (token, relay, supports_sms)
    SELECT DISTINCT ON (token) token, $3, supports_sms
    FROM unnest($1::bytea[], $2::bigint[]) AS wanted (token, supports_sms)
    WHERE NOT EXISTS (
        SELECT 1 FROM phones WHERE phones.token = wanted.token AND phones.is_listed = 1
    )
    ORDER BY token
    ON CONFLICT (token) DO UPDATE SET supports_sms = excluded.supports_sms
        WHERE relay_contacts.relay = excluded.relay";

/// In the order of their keys, as they are merged: nobody waits for each other.
const REMOVE: &str = "
    WITH gone AS MATERIALIZED (
        SELECT token FROM relay_contacts WHERE token = ANY ($1) AND relay = $2
        ORDER BY token FOR UPDATE
    )
    DELETE FROM relay_contacts USING gone WHERE relay_contacts.token = gone.token";

/// Notes what another gateway says.
pub(super) async fn merge(
    (relay, contacts): &(String, Vec<RelayContact>),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let doing = "noting another gateway's contacts";
    let (active, gone): (Vec<RelayContact>, Vec<_>) =
        contacts.iter().partition(|contact| contact.is_active);
    let merge = query(MERGE)
        .bind(blobs(&active, |contact| &contact.token.0))
        .bind(numbers(&active, |contact| i64::from(contact.supports_sms)))
        .bind(relay.as_str());
    merge.execute(&mut *link).await.map_err(during(doing))?;
    let remove = query(REMOVE).bind(blobs(&gone, |contact| &contact.token.0)).bind(relay.as_str());
    remove.execute(link).await.map_err(during(doing))?;
    Ok(Ok(()))
}

/// From one name to the next along the index. Its few names are a list of their own, which a look at
/// plans would take for a table.
const RELAYS: &str = "
    WITH RECURSIVE named (relay) AS (
        SELECT min(relay) FROM relay_contacts
        UNION ALL
        SELECT (SELECT min(relay) FROM relay_contacts WHERE relay > named.relay)
        FROM named WHERE named.relay IS NOT NULL
    )
    SELECT relay FROM named WHERE relay IS NOT NULL";

/// The gateways that somebody is listed for.
pub(super) async fn relays(link: &mut Link<'_>) -> Result<Vec<String>, StoreError> {
    let rows = query(RELAYS).fetch_all(link).await.map_err(during("looking for relays"))?;
    rows.iter().map(|row| value(row, "relay")).collect()
}

const FORGET: &str = "
    DELETE FROM relay_contacts WHERE token = ANY (ARRAY(
        SELECT token FROM relay_contacts WHERE relay = $1 LIMIT $2
    ))";

/// Forgets some of a gateway's contacts.
pub(super) async fn forget(
    (relay, limit): &(String, u32),
    link: &mut Link<'_>,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(relay.as_str()).bind(i64::from(*limit)).execute(link).await;
    Ok(Ok(forgotten.map_err(during("forgetting contacts"))?.rows_affected()))
}
