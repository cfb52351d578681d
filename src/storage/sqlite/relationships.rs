//! What accounts are to each other.

use async_trait::async_trait;
use rusqlite::Params;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::connection::hand_out;
use super::readers::AsOf;
use super::rows::{account, account_columns, id, id_list, json_list, value};
use crate::domain::Fault;
use crate::domain::account::Account;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Relationships;
use crate::domain::relationship::{Relation, RelationChange};
use crate::storage::cells::Cells;
use crate::storage::error::{StoreError, during};

const SET: &str = "
    INSERT INTO relationships (owner, other, relation, changed_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (owner, other) DO UPDATE
    SET relation = excluded.relation, changed_at = excluded.changed_at
    WHERE relation <> excluded.relation";

pub(super) const CLEAR: &str =
    "DELETE FROM relationships WHERE owner = ?1 AND other = ?2 AND relation = ?3";

pub(super) const RELATIONS: &str = "
    SELECT relationships.other, relationships.relation
    FROM json_each(?2) AS wanted
    CROSS JOIN relationships
        ON relationships.owner = ?1 AND relationships.other = wanted.value";

pub(super) const BLOCKERS: &str = "
    SELECT relationships.owner
    FROM json_each(?2) AS wanted
    CROSS JOIN relationships
        ON relationships.owner = wanted.value AND relationships.other = ?1
    WHERE relationships.relation = ?3";

pub(super) const ALL_BLOCKERS: &str = "
    SELECT owner FROM relationships WHERE other = ?1 AND relation = ?2 LIMIT ?3";

pub(super) const RELATED: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM (
        SELECT other, changed_at FROM relationships WHERE owner = ?1 AND relation = ?2
        ORDER BY changed_at DESC LIMIT ?3
    ) AS recent
    CROSS JOIN accounts ON accounts.number = recent.other
    ORDER BY recent.changed_at DESC, accounts.number DESC"
);

pub(super) const COMPANIONS_AMONG: &str = "
    SELECT accounts.id
    FROM json_each(?2) AS wanted CROSS JOIN accounts ON accounts.id = unhex(wanted.value)
    WHERE EXISTS (
        SELECT 1 FROM participants AS theirs
        CROSS JOIN participants AS mine ON mine.conversation = theirs.conversation
            AND mine.account = ?1
        WHERE theirs.account = accounts.number
    )";

#[async_trait]
impl Relationships for SqliteStore {
    async fn change_relation(
        &self,
        owner: AccountNumber,
        other: AccountNumber,
        change: RelationChange,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let input = (owner, other, change, at);
        self.change(input, |input, connection| Box::pin(apply(input, connection))).await
    }

    async fn relations(
        &self,
        owner: AccountNumber,
        others: &[AccountNumber],
    ) -> Result<Vec<(AccountNumber, Relation)>, Fault> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let rows = query(RELATIONS).bind(owner.0).bind(numbers(others)).fetch_all(&self.readers);
        let rows = rows.await.map_err(during("reading relationships"))?;
        let relations = rows.iter().map(|row| {
            let relation = Relation::from_name(value(row, "relation")?);
            let column = "relationships.relation";
            let relation = relation.ok_or(StoreError::Corrupt { column })?;
            Ok((AccountNumber(value(row, "other")?), relation))
        });
        Ok(relations.collect::<Result<_, StoreError>>()?)
    }

    async fn related(
        &self,
        owner: AccountNumber,
        relation: Relation,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        let rows = query(RELATED).bind(owner.0).bind(relation.as_str()).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(during("listing relationships"))?;
        Ok(rows.iter().map(account).collect::<Result<_, _>>()?)
    }

    async fn blockers(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault> {
        if among.is_empty() {
            return Ok(Vec::new());
        }
        let values = (account.0, numbers(among), Relation::Blocked.as_str());
        Ok(self.found_blockers(BLOCKERS, values).await?)
    }

    async fn all_blockers(
        &self,
        account: AccountNumber,
        limit: u32,
    ) -> Result<Option<Vec<AccountNumber>>, Fault> {
        let values = (account.0, Relation::Blocked.as_str(), i64::from(limit) + 1);
        let blockers = self.found_blockers(ALL_BLOCKERS, values).await?;
        Ok(Some(blockers).filter(|blockers| blockers.len() <= limit as usize))
    }

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        let rows = query(COMPANIONS_AMONG).bind(account.0).bind(id_list(users.iter().copied()));
        let rows = rows.fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for shared conversations"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }
}

impl SqliteStore {
    /// Those whose blocks a statement gives.
    async fn found_blockers(
        &self,
        statement: &'static str,
        values: impl Params + Send + 'static,
    ) -> Result<Vec<AccountNumber>, StoreError> {
        let read = self.direct.read(AsOf::LastChange, move |view| {
            let mut blockers = Vec::new();
            hand_out(view.connection, statement, values, "looking for blocked senders", |row| {
                blockers.push(AccountNumber(row.integer("owner")?));
                Ok(())
            })?;
            Ok(blockers)
        });
        read.await
    }
}

fn numbers(accounts: &[AccountNumber]) -> String {
    use std::fmt::Write;
    json_list(accounts, |json, account| write!(json, "{}", account.0))
}

async fn apply(
    (owner, other, change, at): &(AccountNumber, AccountNumber, RelationChange, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let statement = match change {
        RelationChange::Set(relation) => {
            query(SET).bind(owner.0).bind(other.0).bind(relation.as_str()).bind(at.as_micros())
        }
        RelationChange::Clear(relation) => {
            query(CLEAR).bind(owner.0).bind(other.0).bind(relation.as_str())
        }
    };
    statement.execute(connection).await.map_err(during("changing a relationship"))?;
    Ok(Ok(()))
}
