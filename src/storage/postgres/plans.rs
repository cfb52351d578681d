//! No frequent statement walks through a table that grows: each finds its rows by a key, whatever
//! the tables were like when its plan was made, because plans are kept.

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row, raw_sql};

use super::{
    PostgresConfig, PostgresStore, accept, accounts, browse, changes, chats, claims, clear, codes,
    connect, conversations, dropboxes, expire, forget, fronts, gaps, inbox, introductions, lease,
    members, nodes, notices, one_time_keys, phones, prekeys, receipts, relationships, requests,
    rooms, rosters, seen, sessions, set_aside, sign_in, successors, sweep, top_ups,
};
use crate::domain::ports::Store;

/// These name single rows, of inboxes and of message ids.
const BY_ROW: &[&str] = &[
    accept::LOOK,
    accept::storing::STORE,
    accept::storing::STORE_NEW,
    claims::ACKNOWLEDGE,
    claims::LOCK,
    claims::RELEASE,
    expire::EXPIRED_ROWS,
    expire::DELETE_ROWS,
    gaps::DELETE_ROWS,
    sweep::STILL_WAITING,
];

const OTHERS: &[&str] = &[
    accept::ADD_SLOTS,
    accounts::BY_IDS,
    accounts::BY_EXTERNAL_NAME,
    accounts::KEYS_ON_FILE,
    changes::CONTACTS,
    clear::ANY_ENDED,
    clear::ENDED,
    clear::REMOVE_ROWS,
    clear::LOOK_AGAIN,
    clear::IS_CLEAR,
    codes::WINDOW,
    codes::HAND_OVER,
    codes::TRY,
    codes::OUTBOX,
    codes::OLD,
    codes::FORGET,
    codes::READ,
    codes::DROP,
    conversations::BY_CODE,
    conversations::BY_IDS,
    conversations::NUMBERS,
    expire::DROP_PAYLOADS,
    forget::FORGET,
    forget::END_OF_STRETCH,
    fronts::FIRST,
    gaps::LEAVE,
    gaps::FREE_MARKERS,
    browse::BROWSE,
    inbox::HANDED_OUT,
    lease::LEASE,
    notices::LEAVE,
    notices::LIVE_SESSIONS,
    nodes::NODE,
    nodes::STRONG,
    nodes::OLD_NONCE,
    nodes::FORGET,
    nodes::letters::SENDER,
    nodes::letters::SAME,
    nodes::letters::LINES,
    nodes::letters::ANY_DUE,
    nodes::letters::TAKE,
    nodes::letters::FIRST,
    nodes::letters::DROP,
    nodes::letters::NEXT,
    nodes::letters::CLOSE,
    nodes::letters::AGAIN,
    nodes::letters::PUT_OFF,
    nodes::letters::ANY_OVER,
    nodes::letters::FORGET,
    nodes::letters::SHRINK,
    members::MEMBER,
    members::BY_KEY,
    members::OWNERS,
    members::IS_LIVE,
    members::NAMED,
    members::PAGE,
    phones::PHONE,
    phones::IS_LIVE,
    phones::INBOX,
    prekeys::COUNT,
    prekeys::SIGNED,
    prekeys::SET_LAST_RESORT,
    prekeys::SET_SIGNED,
    prekeys::SET_IDENTITY,
    prekeys::DROP,
    prekeys::TAKE,
    relationships::RELATIONS,
    relationships::BLOCKERS,
    relationships::ALL_BLOCKERS,
    relationships::COMPANIONS_AMONG,
    requests::READ,
    requests::DROP,
    requests::ANSWER,
    requests::GIVE_BACK,
    requests::ANY_OLD,
    requests::OLD,
    requests::LOCK_TOTALS,
    requests::FORGET,
    requests::COUNT,
    requests::DROP_TOTALS,
    rooms::COUNT,
    rooms::LAST_SEEN,
    rooms::SURPLUS,
    rosters::ROSTERS,
    sessions::BY_ID,
    sessions::ENDED_AMONG,
    sessions::TOKEN,
    set_aside::SET_ASIDE,
    set_aside::RETRY,
    set_aside::DROP,
    set_aside::LIST,
    set_aside::BY_MESSAGE_ID,
    set_aside::STATUS,
    set_aside::SEEN_NOW,
    sign_in::CIRCUMSTANCES,
    sign_in::FIND_LIVE,
    successors::TAKE,
    successors::OWNERS,
    successors::SUCCESSORS,
    sweep::CANDIDATES,
    top_ups::OPEN,
    top_ups::LOCK,
    top_ups::EXTEND,
    top_ups::CLOSE,
    top_ups::CLOSE_OVER,
];

const LISTS: &[&[&str]] = &[
    OTHERS,
    chats::STATEMENTS,
    dropboxes::STATEMENTS,
    dropboxes::OF_MESSAGES,
    dropboxes::OF_LETTERS,
    dropboxes::OF_FILES,
    dropboxes::OF_SWEEPS,
    introductions::STATEMENTS,
    introductions::OF_WAITING,
    members::OF_DEVICES,
    members::OF_ENROLMENTS,
    members::OF_NAMES,
    members::OF_REMOTE,
    one_time_keys::STATEMENTS,
    phones::OF_CONTACTS,
    phones::OF_DEVICES,
    receipts::STATEMENTS,
    seen::STATEMENTS,
];

/// What a look into an index has to compare, or it walks through more than it needs.
fn key_of(index: &str, by_row: bool) -> &'static [&'static str] {
    match index {
        "inbox_pkey" if by_row => &["shard", "session", "number"],
        "inbox_pkey" | "inbox_set_aside" => &["shard", "session"],
        "payloads_pkey" => &["shard", "number"],
        "drop_messages_pkey" => &["box"],
        "drop_messages_id" => &["id"],
        "prekeys_pkey" | "taken_keys_pkey" => &["session"],
        "receipts_pkey" => &["shard", "sender", "message_id"],
        "introductions_recipient_sender_ephemeral_key_key" => &["recipient"],
        "seen_messages_pkey" if by_row => &["shard", "era", "sender", "message_id"],
        "seen_messages_pkey" => &["shard", "era"],
        _ => &[],
    }
}

/// Tables that are nearly empty one moment and full the next. Others only grow, and whenever they
/// have, the server looks at them and makes new plans.
const CHANGEABLE: &[&str] = &[
    "inbox",
    "payloads",
    "seen_messages",
    "top_ups",
    "requests",
    "request_totals",
    "ended_inboxes",
    "prekeys",
    "codes",
    "drop_boxes",
    "drop_messages",
    "drop_letters",
    "drop_files",
    "node_nonces",
    "node_lines",
    "node_letters",
    "used_enrolments",
    "taken_keys",
    "introductions",
    "receipts",
];

/// Tables of a few rows.
const SMALL: &[&str] = &["sequences", "settings", "message_numbers", "seen_eras"];

/// What is wrong with a plan.
fn complaint(plan: &Value, by_row: bool, among: &dyn Fn(&str) -> bool) -> Option<String> {
    let word = |name: &str| plan[name].as_str().unwrap_or_default();
    let (kind, table, index) = (word("Node Type"), word("Relation Name"), word("Index Name"));
    if kind == "Seq Scan" && among(table) {
        return Some(format!("it walks through all of {table}"));
    }
    if kind.contains("Index") && (among(table) || kind == "Bitmap Index Scan") {
        let compared = word("Index Cond");
        let missing = key_of(index, by_row).iter().find(|column| !compared.contains(**column));
        if compared.is_empty() || missing.is_some() {
            return Some(format!("it looks into {index} for ({compared}), without {missing:?}"));
        }
    }
    if kind == "Tid Scan" && word("TID Cond").is_empty() {
        return Some(format!("it walks through {table} by its places"));
    }
    let below = plan["Plans"].as_array().into_iter().flatten();
    below.filter_map(|plan| complaint(plan, by_row, among)).next()
}

async fn plan(connection: &mut PgConnection, statement: &str) -> Value {
    let count = (1..30).rev().find(|n| statement.contains(&format!("${n}"))).unwrap_or(0);
    run(connection, format!("PREPARE statement AS {statement}")).await;
    let missing = match count {
        0 => String::new(),
        _ => format!("({})", vec!["NULL"; count].join(", ")),
    };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE statement{missing}");
    // The simple protocol answers in text.
    let row = raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *connection).await.unwrap();
    let plan: Value = serde_json::from_str(row.get_unchecked(0)).unwrap();
    run(connection, "DEALLOCATE statement").await;
    plan[0]["Plan"].clone()
}

async fn run(connection: &mut PgConnection, statements: impl Into<String>) {
    raw_sql(AssertSqlSafe(statements.into())).execute(connection).await.unwrap();
}

/// Says what is wrong with the statements' plans, if anything.
async fn complaints(connection: &mut PgConnection, among: &dyn Fn(&str) -> bool) -> Vec<String> {
    run(connection, "ANALYZE").await;
    let by_row = BY_ROW.iter().map(|statement| (*statement, true));
    let others = LISTS.iter().copied().flatten();
    let others = others.map(|statement| (*statement, false));
    let mut complaints = Vec::new();
    for (statement, by_row) in by_row.chain(others) {
        let plan = plan(connection, statement).await;
        complaints.extend(complaint(&plan, by_row, among).map(|it| format!("{it}: {statement}")));
    }
    complaints
}

/// Tables of a gateway with some work behind it.
const FILL: &str = "
    INSERT INTO accounts (id, dialect, external_name, kind, full_name, created_at)
    SELECT sha256(n::text::bytea), 'mixin', n::text, 'user', 'Person', 0
    FROM generate_series(1, 3000) AS n;
    INSERT INTO sessions (id, account, signing_key, agreement_key, platform, created_at, ended_at)
    SELECT sha256(n::text::bytea), 1 + n % 3000, sha256(n::text::bytea), '', '', 0,
        CASE WHEN n % 3 = 0 THEN 1 END
    FROM generate_series(1, 9000) AS n;
    INSERT INTO conversations (id, category, creator, created_at, code)
    SELECT sha256(n::text::bytea), 'GROUP', 1 + n % 3000, 0, sha256(n::text::bytea)
    FROM generate_series(1, 3000) AS n;
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT 1 + n / 4, 1 + n % 3000, '', 0 FROM generate_series(0, 11999) AS n
    ON CONFLICT DO NOTHING;
    INSERT INTO relationships (owner, other, relation, changed_at)
    SELECT 1 + n % 3000, 1 + n / 3000, 'friend', 0 FROM generate_series(0, 8999) AS n;
    INSERT INTO payloads (shard, number, sender_account, sender_session, message_id, category,
        accepted_at, expires_at, details, waiting, body)
    SELECT n % 1024, n, 1, 1, sha256(n::text::bytea), '', n, n, '', '', ''
    FROM generate_series(1, 40000) AS n;
    INSERT INTO inbox (shard, session, number, home, slot, set_aside_at)
    SELECT session % 1024, session, n, n % 1024, '', CASE WHEN n % 1000 = 0 THEN 1 END
    FROM generate_series(1, 40000) AS n, LATERAL (VALUES (n % 50), (n % 3000)) AS it (session)
    ON CONFLICT DO NOTHING;
    INSERT INTO seen_messages (shard, sender, message_id, digest, accepted_at, era)
    SELECT n % 1024, n % 3000, sha256(n::text::bytea), '', n, 1 + n % 3
    FROM generate_series(1, 40000) AS n;
    INSERT INTO ended_inboxes (shard, session, look_at)
    SELECT n % 1024, n, n FROM generate_series(1, 3000) AS n;
    INSERT INTO requests (shard, account, hash, digest, claim, claimed_until, expires_at)
    SELECT n % 1024, n % 3000, sha256(n::text::bytea), '', '', 0, n
    FROM generate_series(1, 9000) AS n;
    INSERT INTO request_totals (shard, account, requests, bytes)
    SELECT n % 1024, n, 3, 0 FROM generate_series(1, 3000) AS n;
    INSERT INTO top_ups (shard, sender, message_id, home, payload, open_until, users)
    SELECT n % 1024, n % 3000, sha256(n::text::bytea), n % 1024, n, n, ''
    FROM generate_series(1, 3000) AS n;
    INSERT INTO api_tokens (hash, session, scopes, created_at, expires_at)
    SELECT sha256(n::text::bytea), n, 0, 0, 0 FROM generate_series(1, 3000) AS n;
    INSERT INTO phones (account, token, supports_sms, is_listed)
    SELECT n, sha256(n::text::bytea), 0, n % 2 FROM generate_series(1, 3000) AS n;
    INSERT INTO devices (session, account, number, password, signalling_key, registration, fetches)
    SELECT n, 1 + n % 3000, n / 3000, '', '', 0, 1 FROM generate_series(1, 9000) AS n;
    INSERT INTO prekeys (session, key_id, place, public_key)
    SELECT 1 + n % 3000, n, 0, '' FROM generate_series(1, 30000) AS n;
    INSERT INTO relay_contacts (token, relay, supports_sms)
    SELECT sha256(n::text::bytea), 'other', 0 FROM generate_series(1, 9000) AS n;
    INSERT INTO members (account, relay, name, enrols_itself, had_device)
    SELECT n, CASE WHEN n % 9 = 0 THEN 'other' ELSE '' END, n::text, 0, CASE WHEN n % 50 = 0 THEN 0 ELSE 1 END
    FROM generate_series(1, 3000) AS n;
    INSERT INTO member_devices (session, account, identity_key, agreement_key, signed_key,
        signed_signature, is_strong)
    SELECT n, 1 + n % 3000, '', '', '', '', 0 FROM generate_series(1, 9000) AS n;
    INSERT INTO used_enrolments (hash, expires_at)
    SELECT sha256(n::text::bytea), n FROM generate_series(1, 9000) AS n;
    INSERT INTO taken_keys (session, public_key, usable_until, expires_at)
    SELECT 1 + n % 3000, n::text, n, n FROM generate_series(1, 9000) AS n;
    INSERT INTO introductions (id, sender, recipient, ephemeral_key, sender_key, one_time_key,
        ciphertext, created_at, expires_at)
    SELECT sha256(n::text::bytea), 1 + n % 3000, 1 + n % 2000, n::text, '', '', '', n, n
    FROM generate_series(1, 9000) AS n;
    INSERT INTO pairs (sender, recipient, id, ephemeral_key, created_at)
    SELECT 1 + n % 3000, 1 + n % 2000, sha256(n::text::bytea), '', n
    FROM generate_series(1, 6000) AS n;
    INSERT INTO direct_chats (low, high, conversation)
    SELECT 1 + n % 50, n, n FROM generate_series(100, 3000) AS n;
    INSERT INTO chats (conversation, message_id, latest_at)
    SELECT n, sha256(n::text::bytea), n FROM generate_series(1, 3000) AS n;
    INSERT INTO receipts (shard, sender, message_id, session, delivered_at)
    SELECT n % 3000 % 1024, n % 3000, sha256(n::text::bytea), 1 + n % 9000, n
    FROM generate_series(1, 40000) AS n;
    INSERT INTO codes (purpose, number, code, attempts, outbox, created_at, expires_at,
        window_ends_at, window_codes, window_tries, kept_until)
    SELECT 'register', n::text, '', 0, CASE WHEN n % 9 = 0 THEN 'sms' END, n, n, n, 0, 0, n
    FROM generate_series(1, 9000) AS n;
    INSERT INTO nodes (id, api_url, public_key, is_strong, looked_up_at)
    SELECT n::text, '', '', 0, n FROM generate_series(1, 9000) AS n;
    INSERT INTO node_nonces (node, nonce, ends_at)
    SELECT (n % 9)::text, n::text, n FROM generate_series(1, 9000) AS n;
    INSERT INTO node_guests (account, look_at) SELECT n, n FROM generate_series(1, 2000) AS n;
    INSERT INTO node_lines (sender, node, letters, bytes, attempts, next_at)
    SELECT n, (n % 900)::text, 1, 0, 0, n FROM generate_series(1, 9000) AS n;
    INSERT INTO node_letters (node, sender, number, logical, digest, body, expires_at)
    SELECT (n % 9)::text, n, 1, n::text, '', '', n FROM generate_series(1, 9000) AS n;
    INSERT INTO drop_boxes (token, public_key, created_at, lock_at, ends_at, messages_go, box_goes)
    SELECT sha256(n::text::bytea), '', 0, n, n, 0, 0 FROM generate_series(1, 3000) AS n;
    INSERT INTO drop_messages (box, number, id, form, encryption_key, name, created_at, ends_at,
        data)
    SELECT 1 + n % 3000, n / 3000, sha256(n::text::bytea), 2, '', '', n, n, ''
    FROM generate_series(3000, 32999) AS n;
    INSERT INTO drop_letters (id, version, secret, form, created_at, ends_at, data)
    SELECT sha256(n::text::bytea), 2, '', 2, n, n, '' FROM generate_series(1, 9000) AS n;
    INSERT INTO drop_files (id, ends_at)
    SELECT sha256(n::text::bytea), n FROM generate_series(1, 9000) AS n;";

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn every_frequent_statement_finds_its_rows_by_a_key() {
    let server = std::env::var("SEALPOST_TEST_POSTGRES").expect("scripts/test.sh names the server");
    let name = format!("plans_{}", std::process::id());
    let sign = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{sign}options=-c%20search_path%3D{name}");
    let config = PostgresConfig::at(url);
    let options = connect::options(&config).unwrap();
    let mut connection = options.connect().await.unwrap();
    run(&mut connection, format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"))
        .await;
    PostgresStore::open(&config).await.unwrap().close().await;
    run(
        &mut connection,
        "SET plan_cache_mode = force_generic_plan; SET statement_timeout = '2min'",
    )
    .await;

    let empty = complaints(&mut connection, &|table| CHANGEABLE.contains(&table)).await;
    run(&mut connection, FILL).await;
    let full = complaints(&mut connection, &|table| !SMALL.contains(&table)).await;
    run(&mut connection, format!("DROP SCHEMA {name} CASCADE")).await;
    assert_eq!(empty, [""; 0], "made while there was nothing");
    assert_eq!(full, [""; 0], "made while there was much");
}
