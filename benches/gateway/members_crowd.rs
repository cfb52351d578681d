//! Members that nobody hears of, each with a device: written straight into the tables, like one that
//! is there. Their keys are random, so that a look-up has to find its own among them.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

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

/// Makes so many of them. There has to be a member with a device already.
pub async fn fill(copy: &Copy, members: usize) {
    let words = if copy.url().is_some() { &POSTGRES } else { &SQLITE };
    for first in (0..members).step_by(AT_ONCE) {
        let last = members.min(first + AT_ONCE) - 1;
        let text = words.statements(FIRST + first, FIRST + last);
        match copy.url() {
            Some(url) => {
                let mut connection = postgres_floor::open(&url).await;
                let done = connection.execute(AssertSqlSafe(text)).await;
                done.expect("sound rows");
            }
            None => {
                let options = SqliteConnectOptions::new().filename(copy.database());
                let mut connection = options.connect().await.expect("a database");
                connection.execute(AssertSqlSafe(text)).await.expect("sound rows");
                connection.close().await.expect("it is closed");
            }
        }
    }
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
             INSERT INTO members (account, relay, name, had_device)
             SELECT it.number, one.relay, 'member-' || it.number, one.had_device
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
