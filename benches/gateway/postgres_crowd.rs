//! A crowd in PostgreSQL: the server makes the rows itself.

use std::ops::Range;

use sealpost::domain::clock::{Clock as _, SystemClock, Timestamp};
use sealpost::domain::ports::{Inbox as _, Store as _};
use sealpost::sdk::keys::SigningKey;
use sealpost::storage::{PostgresConfig, PostgresStore};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, query};

use super::crowd::{BODY, FIRST, Size, WEEK, contact, number};
use super::postgres_floor::open;
use super::scene::Scene;

/// Accounts in one statement.
const AT_ONCE: usize = 100_000;

// Rows like those of somebody who signed in, so that no vocabulary is repeated here.
const ACCOUNTS: &str = "
    INSERT INTO accounts (number, id, dialect, external_name, kind, full_name, created_at)
    SELECT it.number, decode('acacacacacac4cac80' || lpad(to_hex(it.number), 14, '0'), 'hex'),
        dialect, 'crowd-' || it.number, kind, full_name, created_at
    FROM generate_series($1, $2) AS it (number)
    CROSS JOIN (SELECT * FROM accounts WHERE number = $3) AS like_this";

const SESSIONS: &str = "
    INSERT INTO sessions (number, id, account, signing_key, agreement_key, platform, created_at)
    SELECT it.number, decode('5e5e5e5e5e5e4c5e80' || lpad(to_hex(it.number), 14, '0'), 'hex'),
        it.number, decode(lpad(to_hex(it.number), 16, '0') || repeat('33', 24), 'hex'),
        $4, platform, created_at
    FROM generate_series($1, $2) AS it (number)
    CROSS JOIN (SELECT * FROM sessions WHERE number = $3) AS like_this";

const CONVERSATIONS: &str = "
    INSERT INTO conversations (number, id, category, creator, created_at)
    SELECT $1 + place - 1, it.id, category, $3[1 + ($1 + place - 1 - $5) % cardinality($3)],
        created_at
    FROM unnest($2::bytea[]) WITH ORDINALITY AS it (id, place)
    CROSS JOIN (SELECT * FROM conversations WHERE number = $4) AS like_this";

const PARTICIPANTS: &str = "
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT it.number, who.number, role, joined_at
    FROM generate_series($1, $2) AS it (number)
    CROSS JOIN (SELECT role, joined_at FROM participants WHERE conversation = $4 LIMIT 1)
        AS like_this
    CROSS JOIN LATERAL (
        VALUES (it.number), ($3[1 + (it.number - $5) % cardinality($3)])
    ) AS who (number)";

/// The list of who waits is one number: 35 bits, seven to the byte.
const PAYLOADS: &str = "
    INSERT INTO payloads (shard, number, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, details, waiting, body)
    SELECT member % 1024, $3 + place, $5[1 + place % $4 % cardinality($5)],
        $6[1 + place % $4 % cardinality($6)], member, decode(md5(place::text), 'hex'),
        'ENCRYPTED_TEXT', $7, $8, ''::bytea,
        decode('01' || lpad(to_hex(
            ((inbox & 127 | 128) << 32) | ((inbox >> 7 & 127 | 128) << 24)
            | ((inbox >> 14 & 127 | 128) << 16) | ((inbox >> 21 & 127 | 128) << 8)
            | (inbox >> 28 & 127)), 10, '0'), 'hex'),
        $9
    FROM generate_series($1::bigint, $2::bigint) AS it (place)
    CROSS JOIN LATERAL (SELECT $3 + place % $4 AS member) AS one
    CROSS JOIN LATERAL (SELECT member * 1024 + member % 1024 AS inbox) AS other";

const SLOTS: &str = "
    INSERT INTO inbox (shard, session, number, home, slot)
    SELECT member % 1024, member, $3 + place, member % 1024, $5
    FROM generate_series($1::bigint, $2::bigint) AS it (place)
    CROSS JOIN LATERAL (SELECT $3 + place % $4 AS member) AS one
    ORDER BY 1, 2, 3";

/// Eras are as long as a gateway makes them.
const CLAIMS: &str = "
    INSERT INTO seen_messages (shard, era, sender, message_id, digest, accepted_at)
    SELECT sender % 1024, 1 + place / $3, sender, id, id, $6
    FROM generate_series($1::bigint, $2::bigint) AS it (place)
    CROSS JOIN LATERAL (
        SELECT $5[1 + place % $4 % cardinality($5)] AS sender, decode(md5(place::text), 'hex') AS id
    ) AS one
    ORDER BY 1, 2, 3, 4";

const ERAS: &str = "
    WITH closed AS (UPDATE seen_eras SET is_closed = 1 WHERE $1 > 0)
    INSERT INTO seen_eras (era, is_closed)
    SELECT era, CASE WHEN era > $1 THEN 0 ELSE 1 END FROM generate_series(2, $1 + 1) AS it (era)";

/// Makes the crowd and what waits for it.
pub async fn fill(url: &str, scene: &Scene, size: Size) {
    let mut tables = [open_to_fill(url).await, open_to_fill(url).await, open_to_fill(url).await];
    for first in (0..size.accounts).step_by(AT_ONCE) {
        let places = first..size.accounts.min(first + AT_ONCE);
        people(&mut tables[0], scene, places).await;
    }
    for places in size.waves() {
        let [bodies, slots, claims] = &mut tables;
        let senders = scene.senders.iter().map(|it| it.number).collect::<Vec<_>>();
        let sessions = scene.senders.iter().map(|it| it.devices[0].number).collect::<Vec<_>>();
        let now = SystemClock.now().as_micros();
        let (first, last) = (place(places.start), place(places.end - 1));
        let statement = |text| query(text).bind(first).bind(last);
        let bodies = statement(PAYLOADS)
            .bind(FIRST)
            .bind(place(size.accounts))
            .bind(&senders)
            .bind(&sessions)
            .bind(now)
            .bind(now + WEEK)
            .bind(&BODY[..])
            .execute(bodies);
        let slots =
            statement(SLOTS).bind(FIRST).bind(place(size.accounts)).bind(&BODY[..]).execute(slots);
        let claims = statement(CLAIMS)
            .bind(place(era_ids(url)))
            .bind(place(size.accounts))
            .bind(&senders)
            .bind(now)
            .execute(claims);
        tokio::try_join!(bodies, slots, claims).expect("sound rows, and room on the disk");
    }
    let raise = query("SELECT setval('message_numbers', $1)").bind(number(size.rows));
    raise.execute(&mut tables[0]).await.expect("the order of all messages");
    turn_eras(url, &mut tables[0], size.rows / era_ids(url)).await;
    // The server would do so by itself, in the midst of what is measured.
    run(&mut tables[0], "VACUUM (ANALYZE)").await;
    run(&mut tables[0], "CHECKPOINT").await;
}

/// How many ids an era takes.
fn era_ids(url: &str) -> usize {
    usize::try_from(PostgresConfig::at(url).era_ids).expect("a small number")
}

/// Closes the eras that are full, and has the gateway's store make their filters, one with each call.
async fn turn_eras(url: &str, connection: &mut PgConnection, full: usize) {
    let closed = query(ERAS).bind(place(full)).execute(connection).await;
    closed.expect("eras like the gateway's");
    let store = PostgresStore::open(&PostgresConfig::at(url)).await.expect("a sound database");
    for _ in 0..full {
        store.forget_seen(Timestamp::default(), 1).await.expect("filters");
    }
    store.close().await;
}

fn place(place: usize) -> i64 {
    i64::try_from(place).expect("a small number")
}

/// A connection whose commits wait for nobody, and that does not look whether rows refer to others.
async fn open_to_fill(url: &str) -> PgConnection {
    let mut connection = open(url).await;
    for setting in
        ["synchronous_commit = off", "session_replication_role = replica", "work_mem = '256MB'"]
    {
        run(&mut connection, &format!("SET {setting}")).await;
    }
    connection
}

async fn run(connection: &mut PgConnection, statement: &str) {
    let done = connection.execute(AssertSqlSafe(statement)).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn people(connection: &mut PgConnection, scene: &Scene, places: Range<usize>) {
    let like = scene.recipients(1).first().expect("somebody");
    let like_device = like.devices.first().expect("somebody with a device");
    let like_contact = scene.contact(0, 1, 0).number;
    let key = *SigningKey::from_seed(&[31; 32]).agreement_secret().public().as_bytes();
    let senders = scene.senders.iter().map(|it| it.number).collect::<Vec<_>>();
    let (first, last) = (number(places.start), number(places.end - 1));
    let ids = places.map(|place| contact(scene, place).1.id.as_bytes().to_vec());
    let ids = ids.collect::<Vec<_>>();
    let all = [
        query(ACCOUNTS).bind(first).bind(last).bind(like.number),
        query(SESSIONS).bind(first).bind(last).bind(like_device.number).bind(&key[..]),
        query(CONVERSATIONS).bind(first).bind(ids).bind(&senders).bind(like_contact).bind(FIRST),
        query(PARTICIPANTS).bind(first).bind(last).bind(&senders).bind(like_contact).bind(FIRST),
    ];
    for statement in all {
        statement.execute(&mut *connection).await.expect("sound rows, and room on the disk");
    }
}
