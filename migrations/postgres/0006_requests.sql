-- Requests that may come again, and messages that may get more slots.

-- Requests under a key of their caller's, in the caller's shard; dropped by time.
CREATE TABLE requests (
    shard         BIGINT NOT NULL,
    account       BIGINT NOT NULL,
    -- SHA-256 of path and key.
    hash          BYTEA  NOT NULL,
    -- Tells the request from others under its key.
    digest        BYTEA  NOT NULL,
    -- Tells who runs it from an earlier one whose time was over.
    claim         BYTEA  NOT NULL,
    claimed_until BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    -- The answer; both empty while it runs, and no body where there was no room to keep it.
    status        BIGINT,
    body          BYTEA,
    PRIMARY KEY (shard, account, hash)
);

CREATE INDEX requests_expiry ON requests (expires_at);

-- How much of that there is for each account, changed in the transaction of every change of it.
CREATE TABLE request_totals (
    shard    BIGINT NOT NULL,
    account  BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    -- Of their answers.
    bytes    BIGINT NOT NULL,
    PRIMARY KEY (shard, account)
);

-- Messages that were stored for some of their recipients, in the sender's shard. The payload stays
-- as long as its row here does.
CREATE TABLE top_ups (
    shard      BIGINT NOT NULL,
    sender     BIGINT NOT NULL,
    message_id BYTEA  NOT NULL,
    -- The message's shard and number in `payloads`.
    home       BIGINT NOT NULL,
    payload    BIGINT NOT NULL,
    open_until BIGINT NOT NULL,
    -- The accounts that it was for: their public ids, 16 bytes each.
    users      BYTEA  NOT NULL,
    -- The session that it was not for, by its public id.
    left_out   BYTEA,
    PRIMARY KEY (shard, sender, message_id)
);

CREATE INDEX top_ups_payload ON top_ups (payload);
CREATE INDEX top_ups_end ON top_ups (open_until);
