//! The server as the source or the target of a [move](crate::storage::portable).

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Connection, PgConnection, query, query_with};

use super::PostgresConfig;
use super::connect;
use super::migrate;
use super::rows::value;
use crate::domain::ids::AccountNumber;
use crate::storage::error::{StoreError, during};
use crate::storage::open::OpenError;
use crate::storage::portable::{
    Cell, Column, Each, FILLING, Kind, LEFT_OUT, Port, PortableError, READING, Row, Table, cells,
};

/// A connection in a transaction.
pub(in crate::storage) struct PostgresPort {
    connection: PgConnection,
}

/// It takes as long as it takes, and reads whole tables.
const PATIENT: &str = "
    SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true),
        set_config('idle_in_transaction_session_timeout', '0', true),
        set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true),
        set_config('enable_mergejoin', 'on', true)";

/// Nobody writes anything meanwhile: every message has an account.
const ALONE: &str = "LOCK TABLE accounts, settings, payloads IN EXCLUSIVE MODE";

impl PostgresPort {
    /// A moment to read, whoever else works on the database.
    pub(in crate::storage) async fn reading(
        config: &PostgresConfig,
    ) -> Result<Self, PortableError> {
        Self::begin(config, &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", PATIENT]).await
    }

    /// A database to fill, brought up to date.
    pub(in crate::storage) async fn writing(
        config: &PostgresConfig,
    ) -> Result<Self, PortableError> {
        Self::begin(config, &["BEGIN", PATIENT, ALONE]).await
    }

    async fn begin(
        config: &PostgresConfig,
        statements: &[&'static str],
    ) -> Result<Self, PortableError> {
        let options = connect::options(config)?;
        let (mut connection, _) = connect::connect(&options, config.patience).await?;
        migrate::migrate(&mut connection, &options).await?;
        let unusable =
            |source| OpenError::Database { path: connect::place(&options).into(), source };
        for statement in statements {
            let done = query(*statement).persistent(false).execute(&mut connection).await;
            done.map_err(during(READING)).map_err(unusable)?;
        }
        Ok(Self { connection })
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let done = query(statement).persistent(false).execute(&mut self.connection).await;
        done.map_err(during(FILLING)).map(drop)
    }

    /// Inserts rows with one statement, whose parameters are a list for each column.
    async fn insert(
        &mut self,
        statement: String,
        columns: &[Column],
        rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        let mut lists: Vec<Vec<Cell>> = vec![Vec::with_capacity(rows.len()); columns.len()];
        for row in rows {
            lists.iter_mut().zip(row).for_each(|(list, cell)| list.push(cell));
        }
        let mut arguments = PgArguments::default();
        for (list, column) in lists.into_iter().zip(columns) {
            let added = match column.kind {
                Kind::Number => {
                    arguments.add(list.iter().map(Cell::number).collect::<Vec<Option<i64>>>())
                }
                Kind::Text => arguments.add(list.iter().map(Cell::text).collect::<Vec<_>>()),
                Kind::Bytes => arguments.add(list.iter().map(Cell::bytes).collect::<Vec<_>>()),
            };
            added.map_err(|error| during(FILLING)(sqlx::Error::Encode(error)))?;
        }
        let insert = query_with(AssertSqlSafe(statement), arguments).persistent(false);
        insert.execute(&mut self.connection).await.map_err(during(FILLING)).map(drop)
    }

    async fn write_sequences(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let [name, value] = row.as_slice() else { continue };
            let statement = match name.text() {
                Some("messages") => PUT_MESSAGES,
                Some("drop_boxes") => PUT_BOXES,
                _ => PUT_SEQUENCE,
            };
            let put = query(statement).persistent(false).bind(name.text()).bind(value.number());
            put.execute(&mut self.connection).await.map_err(during(FILLING))?;
        }
        Ok(())
    }
}

/// `unnest($1::bigint[], $2::text[], …) AS moved (number, name, …)`.
fn lists(columns: &[Column]) -> String {
    let list = |(place, column): (usize, &Column)| {
        let kind = match column.kind {
            Kind::Number => "bigint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        format!("${}::{kind}[]", place + 1)
    };
    let lists: Vec<_> = columns.iter().enumerate().map(list).collect();
    format!("unnest({}) AS moved ({})", lists.join(", "), names(columns))
}

fn names(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

const PUT_SEQUENCE: &str = "
    INSERT INTO sequences (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const PUT_MESSAGES: &str = "
    SELECT setval('message_numbers', greatest($2::bigint, 1), $2::bigint > 0)
    WHERE $1::text = 'messages'";

const PUT_BOXES: &str = "
    SELECT setval(pg_get_serial_sequence($1::text, 'number'), greatest($2::bigint, 1),
        $2::bigint > 0)";

/// The numbers of these tables go on after the largest one.
const NUMBERED: [&str; 5] = [
    "SELECT setval(pg_get_serial_sequence('accounts', 'number'),
        coalesce(max(number), 0) + 1, false) FROM accounts",
    "SELECT setval(pg_get_serial_sequence('sessions', 'number'),
        coalesce(max(number), 0) + 1, false) FROM sessions",
    "SELECT setval(pg_get_serial_sequence('conversations', 'number'),
        coalesce(max(number), 0) + 1, false) FROM conversations",
    "SELECT setval(pg_get_serial_sequence('invites', 'number'),
        coalesce(max(number), 0) + 1, false) FROM invites",
    "SELECT setval(pg_get_serial_sequence('introductions', 'number'),
        coalesce(max(number), 0) + 1, false) FROM introductions",
];

/// Where a payload is stands in the rows that lead to it.
const FIND_TOP_UPS: &str = "
    UPDATE top_ups SET home = payloads.shard FROM payloads WHERE payloads.number = top_ups.payload";

const COLUMNS: &str = "
    SELECT column_name::text AS name, data_type::text AS kind FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";

const INBOX: &str = "
    SELECT inbox.number, inbox.home, inbox.shard, inbox.session, inbox.deliveries,
        inbox.set_aside_at, inbox.slot
    FROM inbox JOIN payloads ON payloads.shard = inbox.home AND payloads.number = inbox.number
    ORDER BY inbox.number, inbox.shard, inbox.session";

const COUNT_INBOX: &str = "
    SELECT count(*) AS rows
    FROM inbox JOIN payloads ON payloads.shard = inbox.home AND payloads.number = inbox.number";

/// The ids of an era that was forgotten are about to go, and may have come again since.
const SEEN: &str = "
    SELECT sender, message_id, digest, accepted_at FROM seen_messages
    WHERE era IN (SELECT era FROM seen_eras) ORDER BY accepted_at";

const COUNT_SEEN: &str = "
    SELECT count(*) AS rows FROM seen_messages WHERE era IN (SELECT era FROM seen_eras)";

const OPEN_ERA: &str = "SELECT era FROM seen_eras WHERE is_closed = 0";

const SEQUENCES: &str = "
    SELECT name, value FROM sequences
    UNION ALL SELECT 'messages',
        coalesce(pg_sequence_last_value('message_numbers'::regclass), 0)
    UNION ALL SELECT 'drop_boxes', coalesce(pg_sequence_last_value(
        pg_get_serial_sequence('drop_boxes', 'number')::regclass), 0)";

#[async_trait]
impl Port for PostgresPort {
    async fn columns(&mut self, table: Table) -> Result<Vec<Column>, StoreError> {
        if let Some(columns) = table.own_columns() {
            return Ok(columns);
        }
        let name = table.name();
        let rows = query(COLUMNS).persistent(false).bind(name);
        let rows = rows.fetch_all(&mut self.connection).await.map_err(during(READING))?;
        let mut columns = Vec::new();
        for row in rows {
            let column: String = value(&row, "name")?;
            if LEFT_OUT.contains(&(name, column.as_str())) {
                continue;
            }
            let column = Column::new(column, value(&row, "kind")?);
            columns.push(column.ok_or(StoreError::Corrupt { column: "data_type" })?);
        }
        Ok(columns)
    }

    async fn count(&mut self, table: Table) -> Result<u64, PortableError> {
        let statement = match table {
            Table::Inbox => COUNT_INBOX.to_owned(),
            Table::Sequences => "SELECT count(*) + 2 AS rows FROM sequences".to_owned(),
            Table::Seen => COUNT_SEEN.to_owned(),
            Table::Plain(name) => format!("SELECT count(*) AS rows FROM {name}"),
        };
        let row = query(AssertSqlSafe(statement)).persistent(false);
        let row = row.fetch_one(&mut self.connection).await.map_err(during(READING))?;
        let rows: i64 = value(&row, "rows")?;
        Ok(rows.unsigned_abs())
    }

    async fn read(
        &mut self,
        table: Table,
        columns: &[Column],
        each: Each<'_>,
    ) -> Result<(), PortableError> {
        let statement = match table {
            Table::Inbox => INBOX.to_owned(),
            Table::Seen => SEEN.to_owned(),
            Table::Sequences => SEQUENCES.to_owned(),
            Table::Plain(name) => format!("SELECT {} FROM {name}", names(columns)),
        };
        let statement = query(AssertSqlSafe(statement)).persistent(false);
        let mut rows = statement.fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(during(READING))? {
            each(cells(&row, columns)?)?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        table: Table,
        columns: &[Column],
        mut rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        let mut columns = columns.to_vec();
        match table {
            Table::Sequences => return self.write_sequences(&rows).await,
            Table::Seen => {
                let era = query(OPEN_ERA).persistent(false).fetch_one(&mut self.connection).await;
                let era: i64 = value(&era.map_err(during(FILLING))?, "era")?;
                for name in ["era", "shard"] {
                    columns.push(Column { name: name.to_owned(), kind: Kind::Number });
                }
                for row in &mut rows {
                    let sender = row.first().and_then(Cell::number);
                    let sender = sender.ok_or(StoreError::Corrupt { column: "sender" })?;
                    row.push(Cell::Number(era));
                    row.push(Cell::Number(AccountNumber(sender).shard().0));
                }
            }
            Table::Plain("top_ups") => {
                columns.push(Column { name: "home".to_owned(), kind: Kind::Number });
                rows.iter_mut().for_each(|row| row.push(Cell::Number(0)));
            }
            Table::Plain(_) | Table::Inbox => {}
        }
        let (names, lists) = (names(&columns), lists(&columns));
        let insert = format!("INSERT INTO {} ({names}) SELECT {names} FROM {lists}", table.name());
        self.insert(insert, &columns, rows).await
    }

    async fn clear_settings(&mut self) -> Result<(), StoreError> {
        self.run("DELETE FROM settings").await
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        self.run(FIND_TOP_UPS).await?;
        for statement in NUMBERED {
            self.run(statement).await?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.run("COMMIT").await?;
        self.connection.close().await.map_err(during(FILLING))
    }
}
