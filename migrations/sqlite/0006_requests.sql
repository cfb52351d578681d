-- Requests that may come again, and messages that may get more slots.

-- Requests under a key of their caller's, in the caller's shard; dropped by time.
CREATE TABLE requests (
    shard         INTEGER NOT NULL,
    account       INTEGER NOT NULL,
    -- SHA-256 of path and key.
    hash          BLOB    NOT NULL,
    -- Tells the request from others under its key.
    digest        BLOB    NOT NULL,
    -- Tells who runs it from an earlier one whose time was over.
    claim         BLOB    NOT NULL,
    claimed_until INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    -- The answer; both empty while it runs, and no body where there was no room to keep it.
    status        INTEGER,
    body          BLOB,
    PRIMARY KEY (shard, account, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_expiry ON requests (expires_at);

-- How much of that there is for each account, changed in the transaction of every change of it.
CREATE TABLE request_totals (
    shard    INTEGER NOT NULL,
    account  INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    -- Of their answers.
    bytes    INTEGER NOT NULL,
    PRIMARY KEY (shard, account)
) STRICT, WITHOUT ROWID;

-- Messages that were stored for some of their recipients, in the sender's shard. The payload stays
-- as long as its row here does.
CREATE TABLE top_ups (
    shard      INTEGER NOT NULL,
    sender     INTEGER NOT NULL,
    message_id BLOB    NOT NULL,
    -- The message's number in `payloads`.
    payload    INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    -- The accounts that it was for: their public ids, 16 bytes each.
    users      BLOB    NOT NULL,
    -- The session that it was not for, by its public id.
    left_out   BLOB,
    PRIMARY KEY (shard, sender, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX top_ups_payload ON top_ups (payload);
CREATE INDEX top_ups_end ON top_ups (open_until);
