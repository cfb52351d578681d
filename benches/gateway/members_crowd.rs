//! Members that nobody hears of, each with a device: written straight into the tables, like one that
//! is there. Their keys are random, so that a look-up has to find its own among them. Some of them,
//! spread over all, get keys that can sign.

use rusqlite::{Connection, params};
use sealpost::sdk::keys::SigningKey;
use sqlx::{AssertSqlSafe, Executor as _, query};

use super::members_people::{identity_text, key};
use super::postgres_floor;
use super::store::Copy;

/// Their numbers begin here, far above those of everybody else.
const FIRST: usize = 50_000_000;

/// In one transaction.
const AT_ONCE: usize = 100_000;

/// What the two databases say differently.
struct Words {
    /// The numbers from one to another.
    numbers: fn(usize, usize) -> String,
    /// 16 random bytes, 32 of them, and a text.
    id: &'static str,
    key: &'static str,
    text: &'static str,
}

const SQLITE: Words = Words {
    numbers: |first, last| {
        format!(
            "(WITH RECURSIVE it (number) AS (VALUES ({first}) UNION ALL \
             SELECT number + 1 FROM it WHERE number < {last}) SELECT number FROM it)"
        )
    },
    id: "randomblob(16)",
    key: "randomblob(32)",
    text: "hex(randomblob(22))",
};

const POSTGRES: Words = Words {
    numbers: |first, last| {
        format!("(SELECT number FROM generate_series({first}::bigint, {last}) AS one (number))")
    },
    id: "decode(md5(it.number::text), 'hex')",
    key: "sha256(it.number::text::bytea)",
    text: "md5(it.number::text) || '0123456789ab'",
};

/// Waits for nobody, and does not look whether rows refer to others.
const FAST: [&str; 2] = [
    "PRAGMA synchronous = OFF; PRAGMA cache_size = -524288; PRAGMA foreign_keys = OFF",
    "SET synchronous_commit = off; SET session_replication_role = replica",
];

/// Makes so many of them. There has to be a member with a device already.
pub async fn fill(copy: &Copy, members: usize) {
    let words = if copy.url().is_some() { &POSTGRES } else { &SQLITE };
    let firsts = (0..members).step_by(AT_ONCE);
    let statements = firsts.map(|first| {
        let last = members.min(first + AT_ONCE) - 1;
        words.statements(FIRST + first, FIRST + last)
    });
    match copy.url() {
        Some(url) => {
            let mut connection = postgres_floor::open(&url).await;
            // The server would vacuum by itself, in the midst of what is measured.
            let all = [FAST[1].to_owned()].into_iter().chain(statements);
            for text in all.chain(["VACUUM (ANALYZE)", "CHECKPOINT"].map(str::to_owned)) {
                connection.execute(AssertSqlSafe(text)).await.expect("sound rows");
            }
        }
        None => {
            let connection = Connection::open(copy.database()).expect("a database");
            for text in [FAST[0].to_owned()].into_iter().chain(statements) {
                connection.execute_batch(&text).expect("sound rows");
            }
        }
    }
}

/// Gives so many of them, spread evenly over all, keys that can sign; returns these.
pub async fn signers(copy: &Copy, members: usize, wanted: usize) -> Vec<SigningKey> {
    let wanted = wanted.min(members);
    let number = |place| i64::try_from(FIRST + place * members / wanted).expect("a small number");
    let numbers: Vec<i64> = (0..wanted).map(number).collect();
    let keys: Vec<_> = numbers.iter().map(|number| key(&format!("signer {number}"))).collect();
    let bytes: Vec<_> = keys.iter().map(|key| key.verifying_key().to_bytes().to_vec()).collect();
    let texts: Vec<_> = keys.iter().map(identity_text).collect();
    match copy.url() {
        Some(url) => {
            let mut connection = postgres_floor::open(&url).await;
            let sessions = "UPDATE sessions SET signing_key = it.key
                FROM unnest($1::bigint[], $2::bytea[]) AS it (number, key)
                WHERE sessions.number = it.number";
            let devices = "UPDATE member_devices SET identity_key = it.key
                FROM unnest($1::bigint[], $2::text[]) AS it (number, key)
                WHERE session = it.number";
            let sessions = query(sessions).bind(&numbers).bind(&bytes);
            sessions.execute(&mut connection).await.expect("sound keys");
            let devices = query(devices).bind(&numbers).bind(&texts);
            devices.execute(&mut connection).await.expect("sound keys");
            for text in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
                connection.execute(text).await.expect("a server at work");
            }
        }
        None => {
            let connection = Connection::open(copy.database()).expect("a database");
            let texts: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
            connection.execute_batch("BEGIN").expect("nobody else writes");
            for (statement, keys) in [
                ("UPDATE sessions SET signing_key = ?2 WHERE number = ?1", &bytes),
                (
                    "UPDATE member_devices SET identity_key = CAST(?2 AS TEXT) WHERE session = ?1",
                    &texts,
                ),
            ] {
                let mut statement = connection.prepare(statement).expect("a sound statement");
                for (number, key) in numbers.iter().zip(keys) {
                    let changed = statement.execute(params![number, key]).expect("sound keys");
                    assert_eq!(changed, 1, "each of them has a device");
                }
            }
            connection.execute_batch("COMMIT").expect("room on the disk");
        }
    }
    keys
}

impl Words {
    fn statements(&self, first: usize, last: usize) -> String {
        let numbers = (self.numbers)(first, last);
        let Self { id, key, text, .. } = self;
        let like = "(SELECT session, account FROM member_devices ORDER BY session LIMIT 1)";
        format!(
            "BEGIN;
             INSERT INTO accounts (number, id, dialect, external_name, kind, full_name, created_at)
             SELECT it.number, {id}, one.dialect, 'member-' || it.number, one.kind, one.full_name,
                 one.created_at
             FROM {numbers} AS it, {like} AS lik, accounts AS one WHERE one.number = lik.account;
             INSERT INTO sessions (number, id, account, signing_key, agreement_key, platform,
                 created_at)
             SELECT it.number, {id}, it.number, {key}, one.agreement_key, one.platform,
                 one.created_at
             FROM {numbers} AS it, {like} AS lik, sessions AS one WHERE one.number = lik.session;
             INSERT INTO members (account, relay, name, enrols_itself, had_device)
             SELECT it.number, one.relay, 'member-' || it.number, one.enrols_itself,
                 one.had_device
             FROM {numbers} AS it, {like} AS lik, members AS one WHERE one.account = lik.account;
             INSERT INTO member_devices (session, account, identity_key, agreement_key, signed_key,
                 signed_signature, is_strong)
             SELECT it.number, it.number, {text}, one.agreement_key, one.signed_key,
                 one.signed_signature, one.is_strong
             FROM {numbers} AS it, {like} AS lik, member_devices AS one
             WHERE one.session = lik.session;
             COMMIT;"
        )
    }
}
