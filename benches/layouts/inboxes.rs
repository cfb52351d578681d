//! How messages and inboxes are laid out.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, query};

use super::database::{Database, Rows, json};
use super::traffic::Message;

/// A way to lay them out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A row for each session that waits, clustered by (shard, session, number).
    BySession,
    /// The same, and its rows come as one statement with a list and all slots in one value.
    BySessionOneStatement,
    /// The same clustering without slots: they stand packed beside the body.
    Narrow,
    /// Rows clustered by (number, shard, session), and an index (shard, session, number).
    ByOrderAndIndex,
    /// The same without index: who waits for what is kept in memory.
    ByOrderAndLists,
    /// No rows: slots beside the body, who waits for what in memory, acknowledgements appended.
    PackedAndLists,
}

/// A layout at work.
pub struct Inboxes {
    layout: Layout,
    payloads: Rows,
    rows: Rows,
    /// What waits for each session, with its place among the slots.
    lists: HashMap<i64, Vec<(i64, u16)>>,
}

const BODY: [u8; 1024] = [0x5a; 1024];
const SLOT: usize = 64;

const PAYLOADS: &str = "
    CREATE TABLE payloads (
        number INTEGER NOT NULL PRIMARY KEY, shard INTEGER NOT NULL,
        sender_account INTEGER NOT NULL, sender_session INTEGER NOT NULL, conversation INTEGER,
        message_id BLOB NOT NULL, category TEXT NOT NULL, accepted_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, details BLOB NOT NULL, waiting BLOB NOT NULL,
        slots BLOB NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE acknowledged (
        place INTEGER NOT NULL PRIMARY KEY, session INTEGER NOT NULL, numbers BLOB NOT NULL
    ) STRICT;";

/// Everybody's messages, four sessions each, drawn evenly.
const FILL: &str = "
    INSERT INTO payloads
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages})
    SELECT i, 0, 1 + i % 1000, 1 + i % 1000, 1, randomblob(16), 'PLAIN_TEXT', i, i, x'',
        unhex(printf('%08X%08X%08X%08X', {s0}, {s1}, {s2}, {s3})), {slots}, zeroblob(1024)
    FROM n;";

impl Layout {
    pub fn name(self) -> &'static str {
        match self {
            Self::BySession => "by session",
            Self::BySessionOneStatement => "by session, one statement",
            Self::Narrow => "by session, slots beside the body",
            Self::ByOrderAndIndex => "by order and an index",
            Self::ByOrderAndLists => "by order, lists in memory",
            Self::PackedAndLists => "packed, lists in memory",
        }
    }

    /// Whether slots stand beside the body.
    fn is_packed(self) -> bool {
        matches!(self, Self::Narrow | Self::PackedAndLists)
    }

    fn has_lists(self) -> bool {
        matches!(self, Self::ByOrderAndLists | Self::PackedAndLists)
    }

    fn tables(self) -> &'static str {
        match self {
            Self::BySession | Self::BySessionOneStatement => {
                "CREATE TABLE inbox (
                    shard INTEGER NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL,
                    leased_until INTEGER NOT NULL DEFAULT 0, deliveries INTEGER NOT NULL DEFAULT 0,
                    set_aside_at INTEGER, slot BLOB NOT NULL,
                    PRIMARY KEY (shard, session, number)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX inbox_set_aside ON inbox (shard, session, number)
                    WHERE set_aside_at IS NOT NULL;"
            }
            Self::Narrow => {
                "CREATE TABLE inbox (
                    shard INTEGER NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL,
                    leased_until INTEGER NOT NULL DEFAULT 0, deliveries INTEGER NOT NULL DEFAULT 0,
                    set_aside_at INTEGER, slot INTEGER NOT NULL,
                    PRIMARY KEY (shard, session, number)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX inbox_set_aside ON inbox (shard, session, number)
                    WHERE set_aside_at IS NOT NULL;"
            }
            Self::ByOrderAndIndex | Self::ByOrderAndLists => {
                "CREATE TABLE inbox (
                    number INTEGER NOT NULL, shard INTEGER NOT NULL, session INTEGER NOT NULL,
                    leased_until INTEGER NOT NULL DEFAULT 0, deliveries INTEGER NOT NULL DEFAULT 0,
                    set_aside_at INTEGER, slot BLOB NOT NULL,
                    PRIMARY KEY (number, shard, session)
                ) STRICT, WITHOUT ROWID;"
            }
            Self::PackedAndLists => "",
        }
    }

    /// Makes the tables, with messages that wait.
    pub async fn fill(
        self,
        database: &mut Database,
        messages: i64,
        accounts: i64,
    ) -> Result<(), sqlx::Error> {
        database.run(PAYLOADS).await?;
        database.run(self.tables()).await?;
        if self == Self::ByOrderAndIndex {
            let index = "CREATE INDEX inbox_of ON inbox (shard, session, number)";
            database.run(index).await?;
        }
        let session = |k: i64| format!("(1 + ((i * 4 + {k}) * 2654435761 >> 8) % {accounts})");
        let slots = if self.is_packed() { "zeroblob(256)" } else { "x''" };
        let mut fill = FILL.replace("{messages}", &messages.to_string()).replace("{slots}", slots);
        for k in 0..4 {
            fill = fill.replace(&format!("{{s{k}}}"), &session(k));
        }
        database.run(&fill).await?;
        if self == Self::PackedAndLists {
            return Ok(());
        }
        let slot = if self == Self::Narrow { "k" } else { "zeroblob(64)" };
        let order = match self {
            Self::ByOrderAndIndex | Self::ByOrderAndLists => "3, 1, 2",
            _ => "1, 2, 3",
        };
        let session = session(0).replace("+ 0", "+ k");
        let rows = format!(
            "INSERT OR IGNORE INTO inbox (shard, session, number, slot)
             SELECT s % 1024, s, i, {slot} FROM (
                 SELECT number AS i, value AS k, {session} AS s
                 FROM payloads CROSS JOIN json_each('[0,1,2,3]')
             ) ORDER BY {order}",
            session = session.replace("(i ", "(number ").replace("+ k", "+ value"),
        );
        database.run(&rows).await
    }

    /// What a start has to do.
    pub async fn start(self, database: &mut Database) -> Result<Inboxes, sqlx::Error> {
        let payloads = "INSERT INTO payloads (number, shard, sender_account, sender_session, \
            conversation, message_id, category, accepted_at, expires_at, details, waiting, slots, \
            body)";
        let mut inboxes = Inboxes {
            layout: self,
            payloads: Rows::new(payloads, 13, 6),
            rows: Rows::new("INSERT INTO inbox (shard, session, number, slot)", 4, 9),
            lists: HashMap::new(),
        };
        if self.has_lists() {
            inboxes.read_lists(database).await?;
        }
        Ok(inboxes)
    }
}

impl Inboxes {
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Finds out who waits for what.
    async fn read_lists(&mut self, database: &mut Database) -> Result<(), sqlx::Error> {
        if self.layout == Layout::ByOrderAndLists {
            let rows = query("SELECT number, session FROM inbox ORDER BY number");
            for row in rows.fetch_all(&mut database.reader).await? {
                self.lists.entry(row.get(1)).or_default().push((row.get(0), 0));
            }
            return Ok(());
        }
        let rows = query("SELECT number, waiting FROM payloads ORDER BY number");
        for row in rows.fetch_all(&mut database.reader).await? {
            let waiting: &[u8] = row.get(1);
            for (place, session) in (0_u16..).zip(waiting.as_chunks::<4>().0) {
                let session = i64::from(u32::from_be_bytes(*session));
                self.lists.entry(session).or_default().push((row.get(0), place));
            }
        }
        let rows = query("SELECT session, numbers FROM acknowledged ORDER BY place");
        for row in rows.fetch_all(&mut database.reader).await? {
            let numbers: &[u8] = row.get(1);
            let gone = numbers.as_chunks::<8>().0.iter().map(|number| i64::from_be_bytes(*number));
            let gone: Vec<i64> = gone.collect();
            let list = self.lists.entry(row.get(0)).or_default();
            list.retain(|(number, _)| !gone.contains(number));
        }
        Ok(())
    }

    pub async fn store(
        &mut self,
        database: &mut Database,
        messages: &[(i64, &Message)],
    ) -> Result<(), sqlx::Error> {
        let is_packed = self.layout.is_packed();
        self.payloads
            .insert(&mut database.writer, messages, |row, (number, message)| {
                let sessions = message.sessions.iter();
                let waiting = sessions.flat_map(|it| u32::try_from(*it).unwrap_or(0).to_be_bytes());
                let slots = if is_packed { message.sessions.len() * SLOT } else { 0 };
                row.bind(*number)
                    .bind(0)
                    .bind(message.sender)
                    .bind(message.sender)
                    .bind(1)
                    .bind(message.id.to_vec())
                    .bind("PLAIN_TEXT")
                    .bind(*number)
                    .bind(*number)
                    .bind(Vec::new())
                    .bind(waiting.collect::<Vec<u8>>())
                    .bind(vec![0x55; slots])
                    .bind(&BODY[..])
            })
            .await?;
        let rows = messages.iter().flat_map(|(number, message)| {
            let sessions = (0_u16..).zip(&message.sessions);
            sessions.map(move |(place, session)| (*session % 1024, *session, *number, place))
        });
        let mut rows: Vec<(i64, i64, i64, u16)> = rows.collect();
        if self.layout.has_lists() {
            for (_, session, number, place) in &rows {
                self.lists.entry(*session).or_default().push((*number, *place));
            }
        }
        match self.layout {
            Layout::PackedAndLists => return Ok(()),
            Layout::ByOrderAndIndex | Layout::ByOrderAndLists => {}
            _ => rows.sort_unstable(),
        }
        if self.layout == Layout::BySessionOneStatement {
            return store_in_one(database, &rows).await;
        }
        let is_narrow = self.layout == Layout::Narrow;
        self.rows
            .insert(&mut database.writer, &rows, |row, (shard, session, number, place)| {
                let row = row.bind(*shard).bind(*session).bind(*number);
                if is_narrow { row.bind(i64::from(*place)) } else { row.bind(&BODY[..SLOT]) }
            })
            .await
    }

    pub async fn fetch(
        &mut self,
        database: &mut Database,
        session: i64,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let columns = "payloads.message_id, payloads.category, payloads.accepted_at, payloads.body";
        let slot = match self.layout {
            Layout::Narrow => "substr(payloads.slots, inbox.slot * 64 + 1, 64)",
            Layout::PackedAndLists => "substr(payloads.slots, (wanted.value ->> 1) * 64 + 1, 64)",
            _ => "inbox.slot",
        };
        let (from, list) = if self.layout.has_lists() {
            let list = self.lists.get(&session).into_iter().flatten().take(100);
            let list = json(list.map(|(number, place)| format!("[{number},{place}]")));
            let inbox = match self.layout {
                Layout::PackedAndLists => "",
                _ => {
                    "CROSS JOIN inbox ON inbox.number = wanted.value ->> 0
                        AND inbox.shard = ?1 AND inbox.session = ?2"
                }
            };
            let from = format!(
                "json_each(?3) AS wanted {inbox}
                 CROSS JOIN payloads ON payloads.number = wanted.value ->> 0 ORDER BY wanted.key"
            );
            (from, list)
        } else {
            let from = "inbox CROSS JOIN payloads ON payloads.number = inbox.number
                WHERE inbox.shard = ?1 AND inbox.session = ?2 AND inbox.leased_until <= 0
                    AND inbox.set_aside_at IS NULL
                    AND inbox.number NOT IN (SELECT value FROM json_each(?3))
                ORDER BY inbox.number LIMIT 100";
            (from.to_owned(), "[]".to_owned())
        };
        let statement = format!("SELECT payloads.number, {slot}, {columns} FROM {from}");
        let rows = query(AssertSqlSafe(statement)).bind(session % 1024).bind(session).bind(list);
        let rows = rows.fetch_all(&mut database.reader).await?;
        let bodies = rows.iter().filter(|row| row.get::<&[u8], _>(5).len() == BODY.len());
        Ok(bodies.map(|row| row.get(0)).collect())
    }

    /// Notes in the rows that readers hold them.
    pub async fn claim(
        &mut self,
        database: &mut Database,
        pages: &[(i64, Vec<i64>)],
    ) -> Result<(), sqlx::Error> {
        if self.layout == Layout::PackedAndLists {
            return self.append(database, pages).await;
        }
        let statement = "
            UPDATE inbox SET leased_until = 1, deliveries = max(deliveries, 1)
            FROM (SELECT value ->> 0 AS shard, value ->> 1 AS session, value ->> 2 AS number
                FROM json_each(?1)) AS wanted
            WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
                AND inbox.number = wanted.number AND inbox.set_aside_at IS NULL";
        query(statement).bind(keys(pages)).execute(&mut *database.writer).await.map(drop)
    }

    pub async fn acknowledge(
        &mut self,
        database: &mut Database,
        pages: &[(i64, Vec<i64>)],
    ) -> Result<(), sqlx::Error> {
        if self.layout.has_lists() {
            for (session, numbers) in pages {
                let list = self.lists.entry(*session).or_default();
                list.retain(|(number, _)| numbers.binary_search(number).is_err());
            }
        }
        if self.layout == Layout::PackedAndLists {
            return self.append(database, pages).await;
        }
        let statement = "DELETE FROM inbox WHERE (shard, session, number) IN (
                SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))";
        query(statement).bind(keys(pages)).execute(&mut *database.writer).await.map(drop)
    }

    /// A row for each page, whatever it says of its messages.
    async fn append(
        &mut self,
        database: &mut Database,
        pages: &[(i64, Vec<i64>)],
    ) -> Result<(), sqlx::Error> {
        for (session, numbers) in pages {
            let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
            query("INSERT INTO acknowledged (session, numbers) VALUES (?1, ?2)")
                .bind(*session)
                .bind(numbers.collect::<Vec<u8>>())
                .execute(&mut *database.writer)
                .await?;
        }
        Ok(())
    }
}

fn keys(pages: &[(i64, Vec<i64>)]) -> String {
    json(pages.iter().flat_map(|(session, numbers)| {
        let key = move |number: &i64| format!("[{},{session},{number}]", session % 1024);
        numbers.iter().map(key)
    }))
}

async fn store_in_one(
    database: &mut Database,
    rows: &[(i64, i64, i64, u16)],
) -> Result<(), sqlx::Error> {
    let list =
        rows.iter().map(|(shard, session, number, _)| format!("[{shard},{session},{number}]"));
    query(
        "INSERT INTO inbox (shard, session, number, slot)
         SELECT value ->> 0, value ->> 1, value ->> 2, substr(?2, key * 64 + 1, 64)
         FROM json_each(?1)",
    )
    .bind(json(list))
    .bind(vec![0x55; rows.len() * SLOT])
    .execute(&mut *database.writer)
    .await
    .map(drop)
}
