-- Messages and who still waits for them. These tables are hot: small integers, no foreign key,
-- no index beside the primary key but one over the few rows that are set aside.

-- Orders in which nobody may see a later number before an earlier one: who raises one of these rows
-- holds it until the commit, and others wait.
CREATE TABLE sequences (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- The one order of all messages. A number is not used twice, even when every message is gone; some
-- are never used. No cache: a number that is drawn later is higher, whoever draws it.
CREATE SEQUENCE message_numbers;

-- What all readers of a message share, once, in the shard of the first of them. Gap markers have
-- the negatives of their numbers, so that they stand in front of everything and are told from
-- messages by their keys.
CREATE TABLE payloads (
    shard          BIGINT NOT NULL,
    number         BIGINT NOT NULL,
    sender_account BIGINT NOT NULL,
    sender_session BIGINT NOT NULL,
    conversation   BIGINT,
    message_id     BYTEA  NOT NULL,
    category       TEXT   NOT NULL,
    accepted_at    BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    -- Rare fields, versioned; empty when there is none.
    details        BYTEA  NOT NULL,
    -- Who it was stored for, packed, so that the sweeper can look for their rows.
    waiting        BYTEA  NOT NULL,
    body           BYTEA  NOT NULL,
    PRIMARY KEY (shard, number)
);

-- What is encrypted cannot be compressed, so the server need not try.
ALTER TABLE payloads ALTER COLUMN body SET STORAGE EXTERNAL;

-- One row for each session that a message waits for; deleted by its acknowledgement.
CREATE TABLE inbox (
    shard        BIGINT NOT NULL,
    session      BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    -- The shard of the payload: a reader finds it by this and the number.
    home         BIGINT NOT NULL,
    -- Nobody else gets the row before this time; 0 when nobody holds it.
    leased_until BIGINT NOT NULL DEFAULT 0,
    -- How often it was handed out; it can be acknowledged once this is above 0.
    deliveries   BIGINT NOT NULL DEFAULT 0,
    -- When it was set aside, because it was handed out again and again without an acknowledgement:
    -- it waits on, but is handed out no more.
    set_aside_at BIGINT,
    slot         BYTEA  NOT NULL,
    PRIMARY KEY (shard, session, number)
);

-- There are few such rows, so this costs the others nothing.
CREATE INDEX inbox_set_aside ON inbox (shard, session, number) WHERE set_aside_at IS NOT NULL;

-- Inboxes of ended sessions whose rows are still on file. Nobody reaches these rows any more; they
-- are removed a few at a time.
CREATE TABLE ended_inboxes (
    shard     BIGINT NOT NULL,
    session   BIGINT NOT NULL,
    -- The session that took its place: it is told what the other one misses.
    successor BIGINT,
    -- Not before this time somebody looks, by the clock of the server; 0 until somebody has. What
    -- was accepted while the session ended may come after the first look, so there is a second one.
    look_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, session)
);

CREATE INDEX ended_inboxes_look ON ended_inboxes (look_at);

-- Message ids that were accepted, in the sender's shard; dropped by time. Ids are random, so the era
-- stands in front of them: new ones go to the open era, whose part of the tree stays in memory
-- (src/storage/postgres/seen.rs).
CREATE TABLE seen_messages (
    shard       BIGINT NOT NULL,
    sender      BIGINT NOT NULL,
    message_id  BYTEA  NOT NULL,
    digest      BYTEA  NOT NULL,
    accepted_at BIGINT NOT NULL,
    era         BIGINT NOT NULL,
    PRIMARY KEY (shard, era, sender, message_id)
);

-- The eras of these ids. The last one is open, all others are closed.
CREATE TABLE seen_eras (
    era       BIGINT NOT NULL PRIMARY KEY,
    is_closed BIGINT NOT NULL DEFAULT 0,
    -- A Bloom filter over the era's ids, two bytes an id, empty if there are too many, and when the
    -- last of them was accepted; missing until somebody has read all of them, after the era was closed.
    filter    BYTEA,
    newest_at BIGINT
);

ALTER TABLE seen_eras ALTER COLUMN filter SET STORAGE EXTERNAL;

INSERT INTO seen_eras (era) VALUES (1);

-- Whether an era takes ids, and goes on to do so until the end of this transaction: who closes it has
-- to have the same lock alone. The look comes after the lock and sees what was committed by then, which
-- a statement around it, that began earlier, might not.
CREATE FUNCTION seen_era_is_open(wanted BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared('seen_eras'::regclass::oid::integer, wanted::integer);
    RETURN EXISTS (SELECT FROM seen_eras WHERE era = wanted AND is_closed = 0);
END
$$;

-- Every row of an inbox is written once more, when it is handed out. With half of each page left
-- free for that, the new version stays in its page and needs no new entry in the index.
--
-- What was delivered is removed by the server's own vacuum. It should not wait for a fifth of a
-- large table, and it reads the whole index each time, so it comes after a fiftieth.
ALTER TABLE inbox SET (
    fillfactor = 50,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.02
);
ALTER TABLE payloads SET (
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.02,
    toast.autovacuum_vacuum_threshold = 10000,
    toast.autovacuum_vacuum_scale_factor = 0.02
);
ALTER TABLE seen_messages SET (
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.02
);
