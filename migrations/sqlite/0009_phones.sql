-- Phones: accounts that are known by a telephone number, their numbered devices, and what they leave
-- here for others. Secrets are sealed under a key that is not in the database, and go with what they
-- belong to.

CREATE TABLE phones (
    account      INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (number),
    -- By which others look for it: the beginning of a hash of its number, 10 bytes.
    token        BLOB    NOT NULL UNIQUE,
    supports_sms INTEGER NOT NULL,
    -- Whether messages can reach its first device; changed in the transaction of every change of it.
    is_listed    INTEGER NOT NULL,
    -- As its owner wrote it.
    identity_key TEXT
) STRICT;

-- What a live session of a phone has beside what all sessions have. The row goes when the session
-- ends, so that no secret outlives it.
CREATE TABLE devices (
    session           INTEGER NOT NULL PRIMARY KEY REFERENCES sessions (number),
    account           INTEGER NOT NULL REFERENCES phones (account),
    -- From 1.
    number            INTEGER NOT NULL,
    -- A salted hash in the PHC string format.
    password          TEXT    NOT NULL,
    -- Sealed.
    signalling_key    BLOB    NOT NULL,
    registration      INTEGER NOT NULL,
    -- Whether it comes for its messages by itself.
    fetches           INTEGER NOT NULL,
    -- Where notifications for it go, sealed: both or neither.
    push_kind         TEXT,
    push_address      BLOB,
    name              TEXT,
    -- The prekey with its owner's signature: all three or none.
    signed_id         INTEGER,
    signed_key        TEXT,
    signed_signature  TEXT,
    -- The prekey that is given out when there is no other: both or neither.
    last_resort_id    INTEGER,
    last_resort_key   TEXT,
    UNIQUE (account, number)
) STRICT;

-- Prekeys of phones and of others that are given out once, each in the transaction that deletes it.
CREATE TABLE prekeys (
    session    INTEGER NOT NULL REFERENCES sessions (number),
    key_id     INTEGER NOT NULL,
    -- Among those that were left at once: two may have the same id.
    place      INTEGER NOT NULL,
    public_key TEXT    NOT NULL,
    PRIMARY KEY (session, key_id, place)
) STRICT, WITHOUT ROWID;

-- Codes that prove a number or allow a device; dropped by time, and by their use.
CREATE TABLE codes (
    -- `register` or `link`.
    purpose    TEXT    NOT NULL,
    number     TEXT    NOT NULL,
    -- Sealed.
    code       BLOB    NOT NULL,
    -- How often it was tried.
    attempts   INTEGER NOT NULL,
    -- How its owner wanted it, when the operator has to hand it over.
    outbox     TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Until then codes and tries are counted, whatever becomes of each code.
    window_ends_at INTEGER NOT NULL,
    window_codes   INTEGER NOT NULL,
    window_tries   INTEGER NOT NULL,
    -- The later one of both ends.
    kept_until     INTEGER NOT NULL,
    PRIMARY KEY (purpose, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_end ON codes (kept_until);

-- What the operator has to hand over.
CREATE INDEX codes_outbox ON codes (created_at) WHERE outbox IS NOT NULL;

-- Who can be reached at another gateway, as that one says.
CREATE TABLE relay_contacts (
    token        BLOB    NOT NULL PRIMARY KEY,
    -- The other gateway's name.
    relay        TEXT    NOT NULL,
    supports_sms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For when another gateway is named no more.
CREATE INDEX relay_contacts_relay ON relay_contacts (relay);
