-- Messages and who still waits for them. These tables are hot: small integers, no foreign key,
-- no index beside the primary key but one over the few rows that are set aside.
--
-- SQLite keeps the slots of a message beside its body, one after the other, where
-- they are appended with it. What has to go to its place among the rows of inboxes shrinks to a
-- quarter, so a group of messages touches a third of the pages (benches/layouts.rs).
-- PostgreSQL appends rows to a heap wherever they belong, and keeps each slot in its row.

-- The one order of all messages. The row is raised once for each group commit and never falls,
-- so a number is not used twice even when every message is gone.
CREATE TABLE sequences (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO sequences (name, value) VALUES ('messages', 0);

-- What all readers of a message share, once: appended at the right edge. SQLite keeps one copy
-- whatever the number of recipients and finds it by its number alone; `shard` is the first
-- recipient's. Gap markers have the negatives of their numbers, so that they stand in front of
-- everything and are told from messages by their keys.
CREATE TABLE payloads (
    number         INTEGER NOT NULL PRIMARY KEY,
    shard          INTEGER NOT NULL,
    sender_account INTEGER NOT NULL,
    sender_session INTEGER NOT NULL,
    conversation   INTEGER,
    message_id     BLOB    NOT NULL,
    category       TEXT    NOT NULL,
    accepted_at    INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    -- Rare fields, versioned; empty when there is none.
    details        BLOB    NOT NULL,
    -- Who it was stored for, packed, so that the sweeper can look for their rows.
    waiting        BLOB    NOT NULL,
    -- What each session has of its own. Rows of the inbox say which part.
    slots          BLOB    NOT NULL DEFAULT x'',
    -- Last, so that nothing has to read past it.
    body           BLOB    NOT NULL
) STRICT;

-- One row for each session that a message waits for; deleted by its acknowledgement. Rows of the
-- newest messages are not here yet: they follow from the payloads' `waiting`, and from what is
-- noted below.
CREATE TABLE inbox (
    shard        INTEGER NOT NULL,
    session      INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    -- Nobody else gets the row before this time; 0 when nobody holds it.
    leased_until INTEGER NOT NULL DEFAULT 0,
    -- How often it was handed out; it can be acknowledged once this is above 0.
    deliveries   INTEGER NOT NULL DEFAULT 0,
    -- When it was set aside, because it was handed out again and again without an acknowledgement:
    -- it waits on, but is handed out no more.
    set_aside_at INTEGER,
    -- Its part of the payload's slots.
    slot_start   INTEGER NOT NULL DEFAULT 0,
    slot_length  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, session, number)
) STRICT, WITHOUT ROWID;

-- What became of rows that are not in `inbox` yet; written where it was written a moment ago.
CREATE TABLE fresh_rows (
    number       INTEGER NOT NULL,
    session      INTEGER NOT NULL,
    -- As in `inbox`.
    leased_until INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL,
    -- 1 when it was acknowledged, or put into `inbox` before its turn.
    is_gone      INTEGER NOT NULL,
    PRIMARY KEY (number, session)
) STRICT, WITHOUT ROWID;

-- How far rows have been put into `inbox`: one row.
CREATE TABLE settled (
    -- Those of all messages up to this number.
    through INTEGER NOT NULL,
    -- Of messages up to this number, those of inboxes up to the place that follows.
    target  INTEGER NOT NULL,
    shard   INTEGER NOT NULL,
    session INTEGER NOT NULL,
    number  INTEGER NOT NULL
) STRICT;

INSERT INTO settled (through, target, shard, session, number) VALUES (0, 0, 0, 0, 0);

-- There are few such rows, so this costs the others nothing.
CREATE INDEX inbox_set_aside ON inbox (shard, session, number) WHERE set_aside_at IS NOT NULL;

-- Inboxes of ended sessions whose rows are still on file. Nobody reaches these rows any more; they
-- are removed a few at a time.
CREATE TABLE ended_inboxes (
    shard   INTEGER NOT NULL,
    session INTEGER NOT NULL,
    PRIMARY KEY (shard, session)
) STRICT, WITHOUT ROWID;

-- Message ids that were accepted, with their digests; dropped by time. An id is random, so a tree of
-- ids would have a page written for each of them. They are appended to `seen_newest`, and moved
-- from there in sorted runs, which are written from end to end and merged into longer ones
-- (src/storage/sqlite/seen.rs). PostgreSQL has several writers, and a unique key for them.

-- What places ids in their order: 16 random bytes, so that nobody outside can choose an id's place.
INSERT INTO settings (name, value) VALUES ('seen_secret', randomblob(16));

-- The newest ids: a row for each group of messages, under the number of the first of them.
CREATE TABLE seen_newest (
    number    INTEGER NOT NULL PRIMARY KEY,
    -- When the last of them was accepted.
    newest_at INTEGER NOT NULL,
    -- 40 bytes each: sender, id, digest.
    ids       BLOB    NOT NULL
) STRICT;

-- Runs, whole and in the making.
CREATE TABLE seen_runs (
    number      INTEGER NOT NULL PRIMARY KEY,
    -- 0 for what was made of the newest, one more than those that it was merged from otherwise.
    level       INTEGER NOT NULL,
    ids         INTEGER NOT NULL,
    newest_at   INTEGER NOT NULL,
    -- `writing`, `clearing` while what it was made of is removed, `done`; `dropped` when its time is
    -- over.
    state       TEXT    NOT NULL,
    -- It has everything up to this place in the order.
    written_to  INTEGER NOT NULL,
    -- Until it is done: it is made of the newest up to this number.
    folds_to    INTEGER,
    -- The run that is made of this one and others.
    merged_into INTEGER
) STRICT;

-- What is in the runs, a hundred ids or so together: about a page, found by the run and the place of
-- its first id.
CREATE TABLE seen_chunks (
    number INTEGER NOT NULL PRIMARY KEY,
    run    INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    ids    BLOB    NOT NULL
) STRICT;

CREATE INDEX seen_chunks_place ON seen_chunks (run, first);

-- A Bloom filter for each two thousand ids or so of a run: 16 bits an id.
CREATE TABLE seen_filters (
    number INTEGER NOT NULL PRIMARY KEY,
    run    INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    bits   BLOB    NOT NULL
) STRICT;

CREATE INDEX seen_filters_place ON seen_filters (run, first);
