//! The least that storing messages costs in PostgreSQL: the same rows in the same tables, a group
//! in one statement that is its own transaction, over as many connections as the gateway writes on.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::storage::PostgresConfig;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _, query, query_scalar};
use tokio::sync::Mutex;

use super::pace::{Arrivals, Found, Line};
use super::process::own_cpu;
use super::requests::FloorMessage;
use super::store::{Floor, Stored};

/// As many connections as the gateway writes on unless it is told otherwise.
fn writers() -> usize {
    let usual = PostgresConfig::at("").writers;
    usize::try_from(usual).expect("a few")
}

/// How long a message waits, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

const WRITE: &str = "
    WITH numbers AS MATERIALIZED (
        SELECT ARRAY(
            SELECT nextval('message_numbers') FROM generate_series(1, cardinality($1::bytea[]))
        ) AS list
    ), payload AS (
        INSERT INTO payloads (shard, number, sender_account, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, body)
        SELECT it.shard, list[it.place], it.sender, it.session, it.conversation, it.id,
            it.category, $9, $10, ''::bytea, it.waiting, it.body
        FROM numbers, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::text[], $7::bytea[], $8::bytea[])
            WITH ORDINALITY AS it (id, shard, sender, session, conversation, category, waiting,
                body, place)
    ), slot AS (
        INSERT INTO inbox (shard, session, number, home, slot)
        SELECT it.shard, it.session, list[it.place], it.shard, it.slot
        FROM numbers, unnest($11::bigint[], $12::bigint[], $13::bigint[], $14::bytea[])
            AS it (shard, session, place, slot)
    )
    INSERT INTO seen_messages (shard, era, sender, message_id, digest, accepted_at)
    SELECT it.sender % 1024, 1, it.sender, it.id, it.digest, $9
    FROM unnest($1::bytea[], $3::bigint[], $15::bytea[]) AS it (id, sender, digest)";

const STORED: &str = "
    SELECT (SELECT count(*) FROM payloads) AS payloads, (SELECT count(*) FROM inbox) AS slots,
        (SELECT count(*) FROM seen_messages) AS claims,
        (SELECT coalesce(sum(length(body)), 0)::float8 FROM payloads) AS body_bytes,
        (SELECT coalesce(sum(length(slot)), 0)::float8 FROM inbox) AS slot_bytes,
        (SELECT coalesce(sum(length(waiting)), 0)::float8 FROM payloads) AS waiting_bytes,
        (SELECT coalesce(sum(length(digest)), 0)::float8 FROM seen_messages) AS digest_bytes,
        (SELECT coalesce(sum(sender_account + sender_session + conversation), 0)::float8
            FROM payloads) AS senders,
        (SELECT coalesce(sum(session * 1024 + shard), 0)::float8 FROM inbox) AS inboxes";

/// Connects, and asks whether a commit waits for the disk.
pub async fn open(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.expect("a server that answers");
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let row = query("SELECT current_setting($1)").bind(setting).fetch_one(&mut connection);
        let value: String = row.await.expect("an answer").get(0);
        assert_eq!(value, "on", "the server's {setting}");
    }
    connection
}

/// Writes all messages, so many in a transaction over so many connections.
pub async fn write(
    url: &str,
    messages: &Arc<Vec<FloorMessage>>,
    (group, connections): (usize, usize),
    server_cpu: impl Fn() -> f64,
) -> Floor {
    let warm = messages.len() / 6;
    let mut connections = connect(url, connections).await;
    write_all(&mut connections, messages, 0..warm, group).await;
    let (start, before) = (Instant::now(), (own_cpu(), server_cpu()));
    let times = write_all(&mut connections, messages, warm..messages.len(), group).await;
    let seconds = start.elapsed().as_secs_f64();
    let (cpu, server_cpu) = (own_cpu() - before.0, server_cpu() - before.1);
    let (transactions, messages) = (times.len(), messages.len() - warm);
    Floor { seconds, transactions, times, messages, cpu, server_cpu }
}

/// Writes requests that come at a rate: whoever is free takes all that are due.
pub async fn write_at(url: &str, messages: &Arc<Vec<FloorMessage>>, arrivals: Arrivals) -> Floor {
    let requests = arrivals.requests(messages.len());
    let warm = requests / 6 * arrivals.batch;
    let mut connections = connect(url, writers()).await;
    write_all(&mut connections, messages, 0..warm, arrivals.batch).await;
    let line = Line::new(requests - requests / 6, arrivals.each_second);
    let line = Arc::new(Mutex::new(line));
    let (start, before) = (Instant::now(), own_cpu());
    let works = connections.into_iter().map(|mut connection| {
        let (messages, line) = (messages.clone(), line.clone());
        tokio::spawn(async move {
            let (mut times, mut transactions) = (Vec::new(), 0);
            while let Some((due, since)) = next(&line).await {
                commit(&mut connection, &messages[warm..][arrivals.messages(&due)]).await;
                times.extend(since.into_iter().map(|since| since.elapsed()));
                transactions += 1;
            }
            (times, transactions)
        })
    });
    let (mut times, mut transactions) = (Vec::new(), 0);
    for work in works.collect::<Vec<_>>() {
        let (more, count) = work.await.expect("a writer does not panic");
        times.extend(more);
        transactions += count;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), own_cpu() - before);
    let messages = messages.len() - warm;
    Floor { seconds, transactions, times, messages, cpu, server_cpu: 0.0 }
}

/// The requests that are due; waits for the next one if there is none.
async fn next(line: &Mutex<Line>) -> Option<(Range<usize>, Vec<Instant>)> {
    let mut line = line.lock().await;
    loop {
        match line.take() {
            Found::Due(due, since) => return Some((due, since)),
            Found::Later(due) => {
                tokio::time::sleep_until(due.into()).await;
                line.wake();
            }
            Found::End => return None,
        }
    }
}

async fn connect(url: &str, most: usize) -> Vec<PgConnection> {
    let mut connections = Vec::new();
    for _ in 0..writers().min(most) {
        connections.push(open(url).await);
    }
    connections
}

/// Writes a range of messages, so many in a transaction; returns what each transaction took.
async fn write_all(
    connections: &mut Vec<PgConnection>,
    messages: &Arc<Vec<FloorMessage>>,
    range: Range<usize>,
    group: usize,
) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(range.start));
    let works = connections.drain(..).map(|mut connection| {
        let (messages, next, range) = (messages.clone(), next.clone(), range.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let first = next.fetch_add(group, Ordering::Relaxed);
                if first >= range.end {
                    return (connection, times);
                }
                let begun = Instant::now();
                commit(&mut connection, &messages[first..range.end.min(first + group)]).await;
                times.push(begun.elapsed());
            }
        })
    });
    let works: Vec<_> = works.collect();
    let mut times = Vec::new();
    for work in works {
        let (connection, more) = work.await.expect("a writer does not panic");
        connections.push(connection);
        times.extend(more);
    }
    times
}

async fn commit(connection: &mut PgConnection, group: &[FloorMessage]) {
    let now = SystemClock.now().as_micros();
    let numbers = |of: fn(&FloorMessage) -> i64| group.iter().map(of).collect::<Vec<i64>>();
    let mut slots: Vec<_> = (1_i64..)
        .zip(group)
        .flat_map(|(place, it)| it.slots.iter().map(move |slot| (place, slot)))
        .collect();
    // In the order of their keys, so that rows of one inbox go to one page.
    slots.sort_unstable_by_key(|(place, (shard, session, _))| (*shard, *session, *place));
    let written = query(WRITE)
        .bind(group.iter().map(|it| &it.message_id[..]).collect::<Vec<_>>())
        .bind(numbers(|it| it.slots.first().map_or(0, |(shard, ..)| *shard)))
        .bind(numbers(|it| it.sender))
        .bind(numbers(|it| it.sender_session))
        .bind(numbers(|it| it.conversation))
        .bind(group.iter().map(|it| it.category).collect::<Vec<_>>())
        .bind(group.iter().map(|it| &it.waiting[..]).collect::<Vec<_>>())
        .bind(group.iter().map(|it| &it.body[..]).collect::<Vec<_>>())
        .bind(now)
        .bind(now + WEEK)
        .bind(slots.iter().map(|(_, (shard, ..))| *shard).collect::<Vec<_>>())
        .bind(slots.iter().map(|(_, (_, session, _))| *session).collect::<Vec<_>>())
        .bind(slots.iter().map(|(place, _)| *place).collect::<Vec<_>>())
        .bind(slots.iter().map(|(_, (_, _, slot))| &slot[..]).collect::<Vec<_>>())
        .bind(group.iter().map(|it| &it.digest[..]).collect::<Vec<_>>())
        .execute(connection)
        .await;
    written.expect("sound rows, and room on the disk");
}

/// What is in the tables.
pub async fn stored(url: &str) -> Stored {
    let mut connection = open(url).await;
    let row = query(STORED).fetch_one(&mut connection).await.expect("the tables can be read");
    Stored {
        payloads: row.get("payloads"),
        slots: row.get("slots"),
        claims: row.get("claims"),
        body_bytes: row.get("body_bytes"),
        slot_bytes: row.get("slot_bytes"),
        waiting_bytes: row.get("waiting_bytes"),
        digest_bytes: row.get("digest_bytes"),
        senders: row.get("senders"),
        inboxes: row.get("inboxes"),
    }
}

/// Whether the inbox has no more dead rows than its vacuum waits for.
pub async fn is_vacuumed(url: &str) -> bool {
    let dead = "SELECT n_dead_tup <= 20000 FROM pg_stat_user_tables WHERE relname = 'inbox'";
    let few = query_scalar::<_, bool>(dead).fetch_one(&mut open(url).await).await;
    few.expect("the server counts dead rows")
}

/// The ids of all messages that are kept.
pub async fn message_ids(url: &str) -> Vec<[u8; 16]> {
    let mut connection = open(url).await;
    let ids = query_scalar::<_, Vec<u8>>("SELECT message_id FROM payloads");
    let ids = ids.fetch_all(&mut connection).await.expect("a table that can be read");
    ids.into_iter().map(|id| id.try_into().expect("ids of 16 bytes")).collect()
}
