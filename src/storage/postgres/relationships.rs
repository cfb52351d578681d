//! What accounts are to each other.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::{account, account_array, account_columns, id, id_array, value};
use crate::domain::Fault;
use crate::domain::account::Account;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Relationships;
use crate::domain::relationship::{Relation, RelationChange};
use crate::storage::error::{StoreError, during};

const SET: &str = "
    INSERT INTO relationships (owner, other, relation, changed_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (owner, other) DO UPDATE
    SET relation = excluded.relation, changed_at = excluded.changed_at
    WHERE relationships.relation <> excluded.relation";

const CLEAR: &str = "DELETE FROM relationships WHERE owner = $1 AND other = $2 AND relation = $3";

pub(super) const RELATIONS: &str = "
    SELECT other, relation FROM relationships WHERE owner = $1 AND other = ANY($2)";

pub(super) const BLOCKERS: &str = "
    SELECT owner FROM relationships WHERE owner = ANY($2) AND other = $1 AND relation = $3";

pub(super) const ALL_BLOCKERS: &str = "
    SELECT owner FROM relationships WHERE other = $1 AND relation = $2 LIMIT $3";

const BLOCKED: &str = "looking for blocked senders";

const RELATED: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM (
        SELECT other, changed_at FROM relationships WHERE owner = $1 AND relation = $2
        ORDER BY changed_at DESC LIMIT $3
    ) AS recent
    JOIN accounts ON accounts.number = recent.other
    ORDER BY recent.changed_at DESC, accounts.number DESC"
);

/// From each of the others to its conversations, as when contacts are told of changes
/// ([`super::changes`]).
pub(super) const COMPANIONS_AMONG: &str = "
    SELECT accounts.id FROM accounts
    WHERE accounts.id = ANY($2) AND (
        SELECT true FROM participants AS theirs
        CROSS JOIN LATERAL (
            SELECT 1 FROM participants AS mine
            WHERE mine.conversation = theirs.conversation AND mine.account = $1 OFFSET 0
        ) AS shared
        WHERE theirs.account = accounts.number LIMIT 1
    ) IS NOT NULL";

#[async_trait]
impl Relationships for PostgresStore {
    async fn change_relation(
        &self,
        owner: AccountNumber,
        other: AccountNumber,
        change: RelationChange,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let input = (owner, other, change, at);
        self.write(input, |input, link| Box::pin(apply(input, link))).await
    }

    async fn relations(
        &self,
        owner: AccountNumber,
        others: &[AccountNumber],
    ) -> Result<Vec<(AccountNumber, Relation)>, Fault> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = query(RELATIONS).bind(owner.0).bind(account_array(others));
        let rows = wanted.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("reading relationships"))?;
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
        let found = query(RELATED).bind(owner.0).bind(relation.as_str()).bind(i64::from(limit));
        let rows = found.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("listing relationships"))?;
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
        let found = query(BLOCKERS)
            .bind(account.0)
            .bind(account_array(among))
            .bind(Relation::Blocked.as_str());
        let rows = found.fetch_all(&mut self.reader().await?).await.map_err(during(BLOCKED))?;
        Ok(owners(&rows)?)
    }

    async fn all_blockers(
        &self,
        account: AccountNumber,
        limit: u32,
    ) -> Result<Option<Vec<AccountNumber>>, Fault> {
        let found = query(ALL_BLOCKERS)
            .bind(account.0)
            .bind(Relation::Blocked.as_str())
            .bind(i64::from(limit) + 1);
        let rows = found.fetch_all(&mut self.reader().await?).await.map_err(during(BLOCKED))?;
        Ok(Some(owners(&rows)?).filter(|blockers| blockers.len() <= limit as usize))
    }

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let users = id_array(users.iter().copied());
        let found = query(COMPANIONS_AMONG).bind(account.0).bind(users);
        let rows = found.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("looking for shared conversations"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }
}

/// Whose the relationships are that a statement gave.
fn owners(rows: &[PgRow]) -> Result<Vec<AccountNumber>, StoreError> {
    rows.iter().map(|row| value(row, "owner").map(AccountNumber)).collect()
}

async fn apply(
    (owner, other, change, at): &(AccountNumber, AccountNumber, RelationChange, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let statement = match change {
        RelationChange::Set(relation) => {
            query(SET).bind(owner.0).bind(other.0).bind(relation.as_str()).bind(at.as_micros())
        }
        RelationChange::Clear(relation) => {
            query(CLEAR).bind(owner.0).bind(other.0).bind(relation.as_str())
        }
    };
    statement.execute(link).await.map_err(during("changing a relationship"))?;
    Ok(Ok(()))
}
