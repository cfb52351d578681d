//! No statement walks through a table that grows: each finds its rows by a key.

use sqlx::{Row, query};

use super::{
    accept, accounts, attachments, browse, changes, chats, claims, clear, codes, conversations,
    dropboxes, expire, gaps, groups, inbox, introductions, invites, members, nodes, notices,
    one_time_keys, phones, prekeys, receipts, relationships, requests, rooms, rosters, seen,
    sessions, set_aside, settle, sign_in, sign_up, sweep, top_ups,
};
use crate::storage::{SqliteStore, StorageConfig};

const STATEMENTS: &[&str] = &[
    accept::CONVERSATION_GENERATION,
    accept::ROSTER_GENERATION,
    accounts::BY_IDS,
    accounts::BY_EXTERNAL_NAME,
    accounts::KEYS_ON_FILE,
    attachments::BY_ID,
    attachments::TO_COME,
    attachments::KEPT,
    attachments::FINISH,
    attachments::REFUSE,
    attachments::ANY_OVER,
    attachments::END,
    attachments::FORGET,
    attachments::AMONG,
    accounts::CHANGE_PROFILE,
    changes::NEWEST,
    changes::CONTACTS,
    claims::CLAIM,
    claims::RELEASE,
    claims::ACKNOWLEDGE,
    clear::REMOVE_ROWS,
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
    conversations::JOIN,
    expire::EXPIRED_ROWS,
    expire::DELETE_ROWS,
    expire::DROP_PAYLOADS,
    gaps::WAITING,
    gaps::UNREAD_MARKERS,
    gaps::OWNERS,
    gaps::FREE_MARKERS,
    gaps::DELETE_ROWS,
    groups::RAISE,
    groups::REMOVE,
    groups::SET_ROLES,
    groups::MUTE,
    browse::BROWSE,
    inbox::FREE,
    inbox::HANDED_OUT,
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
    prekeys::ALWAYS,
    prekeys::SET_LAST_RESORT,
    prekeys::SET_SIGNED,
    prekeys::SET_IDENTITY,
    prekeys::DROP,
    prekeys::TAKE,
    relationships::CLEAR,
    relationships::RELATIONS,
    relationships::BLOCKERS,
    relationships::ALL_BLOCKERS,
    relationships::RELATED,
    relationships::COMPANIONS_AMONG,
    requests::READ,
    requests::ANSWER,
    requests::GIVE_BACK,
    requests::ANY_OLD,
    requests::FORGET,
    requests::DROP,
    requests::TOTALS,
    requests::DROP_TOTALS,
    rooms::COUNT,
    rooms::LAST_SEEN,
    rooms::SURPLUS,
    notices::LIVE_SESSIONS,
    invites::DROP,
    invites::NUMBER,
    rosters::ROSTERS,
    sessions::BY_ID,
    sessions::ENDED_AMONG,
    sessions::TOKEN,
    settle::NOTE,
    settle::DROP_NOTES,
    settle::NOTES,
    settle::UNSETTLED,
    set_aside::SET_ASIDE,
    set_aside::LIST,
    set_aside::BY_MESSAGE_ID,
    set_aside::RETRY,
    set_aside::DROP,
    set_aside::STATUS,
    set_aside::SEEN_NOW,
    sign_in::CIRCUMSTANCES,
    sign_in::FIND_LIVE,
    sign_in::DROP_TOKENS,
    sessions::DROP_TOKENS_OF,
    sign_in::CLOSE_INBOX,
    sign_in::NEXT_CHANGE,
    sign_in::RAISE,
    sign_up::USED,
    sign_up::OWNER,
    sign_up::INVITE,
    sign_up::COUNT_USE,
    sign_up::OLD,
    sign_up::FORGET,
    sweep::CANDIDATES,
    sweep::STILL_WAITING,
    top_ups::OPEN,
    top_ups::SLOTS,
    top_ups::EXTEND,
    top_ups::CLOSE,
    top_ups::ANY_OVER,
    top_ups::CLOSE_OVER,
];

/// The steps of a statement's plan, in SQLite's words.
async fn steps(store: &SqliteStore, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps = query(explain).fetch_all(&store.readers).await.unwrap();
    steps.iter().map(|step| step.get("detail")).collect()
}

#[tokio::test]
async fn a_roster_is_read_from_its_index_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(&StorageConfig::at(folder.path().join("plans.db"))).await;
    let steps = steps(&store.unwrap(), rosters::ROSTERS).await;
    let is_covered = |step: &String| step.contains("sessions USING COVERING INDEX sessions_live");
    assert!(steps.iter().any(is_covered), "{steps:?}");
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_a_key() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = StorageConfig::at(folder.path().join("plans.db"));
    let store = SqliteStore::open(&config).await.unwrap();
    let others = [
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
    for statement in STATEMENTS.iter().chain(others.into_iter().flatten()) {
        for step in steps(&store, statement).await {
            let lists = [
                "json_each",
                "wanted",
                "(subquery",
                "recent",
                "free",
                "pair",
                "surplus",
                "waiting",
                "named",
                "CONSTANT ROW",
            ];
            let scan = step.strip_prefix("SCAN ");
            let table = scan.filter(|what| !lists.iter().any(|list| what.starts_with(list)));
            assert_eq!(table, None, "{statement}");
            assert!(!step.contains("inbox USING") || step.contains("session=?"), "{step}");
        }
    }
}
