-- Phones: accounts that are known by a telephone number, their numbered devices, and what they leave
-- here for others. Secrets are sealed under a key that is not in the database, and go with what they
-- belong to.

CREATE TABLE phones (
    account      BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (number),
    -- By which others look for it: the beginning of a hash of its number, 10 bytes.
    token        BYTEA  NOT NULL UNIQUE,
    supports_sms BIGINT NOT NULL,
    -- Whether messages can reach its first device; changed in the transaction of every change of it.
    is_listed    BIGINT NOT NULL,
    -- As its owner wrote it.
    identity_key TEXT
);

-- What a live session of a phone has beside what all sessions have. The row goes when the session
-- ends, so that no secret outlives it.
CREATE TABLE devices (
    session           BIGINT NOT NULL PRIMARY KEY REFERENCES sessions (number),
    account           BIGINT NOT NULL REFERENCES phones (account),
    -- From 1.
    number            BIGINT NOT NULL,
    -- A salted hash in the PHC string format.
    password          TEXT   NOT NULL,
    -- Sealed.
    signalling_key    BYTEA  NOT NULL,
    registration      BIGINT NOT NULL,
    -- Whether it comes for its messages by itself.
    fetches           BIGINT NOT NULL,
    -- Where notifications for it go, sealed: both or neither.
    push_kind         TEXT,
    push_address      BYTEA,
    name              TEXT,
    -- The prekey with its owner's signature: all three or none.
    signed_id         BIGINT,
    signed_key        TEXT,
    signed_signature  TEXT,
    -- The prekey that is given out when there is no other: both or neither.
    last_resort_id    BIGINT,
    last_resort_key   TEXT,
    UNIQUE (account, number)
);

-- Prekeys of phones and of others that are given out once, each in the transaction that deletes it.
CREATE TABLE prekeys (
    session    BIGINT NOT NULL REFERENCES sessions (number),
    key_id     BIGINT NOT NULL,
    -- Among those that were left at once: two may have the same id.
    place      BIGINT NOT NULL,
    public_key TEXT   NOT NULL,
    PRIMARY KEY (session, key_id, place)
);

-- Codes that prove a number or allow a device; dropped by time, and by their use.
CREATE TABLE codes (
    -- `register` or `link`.
    purpose    TEXT   NOT NULL,
    number     TEXT   NOT NULL,
    -- Sealed.
    code       BYTEA  NOT NULL,
    -- How often it was tried.
    attempts   BIGINT NOT NULL,
    -- How its owner wanted it, when the operator has to hand it over.
    outbox     TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Until then codes and tries are counted, whatever becomes of each code.
    window_ends_at BIGINT NOT NULL,
    window_codes   BIGINT NOT NULL,
    window_tries   BIGINT NOT NULL,
    -- The later one of both ends.
    kept_until     BIGINT NOT NULL,
    PRIMARY KEY (purpose, number)
);

CREATE INDEX codes_end ON codes (kept_until);

-- What the operator has to hand over.
CREATE INDEX codes_outbox ON codes (created_at) WHERE outbox IS NOT NULL;

-- Who can be reached at another gateway, as that one says.
CREATE TABLE relay_contacts (
    token        BYTEA  NOT NULL PRIMARY KEY,
    -- The other gateway's name.
    relay        TEXT   NOT NULL,
    supports_sms BIGINT NOT NULL
);

-- For when another gateway is named no more.
CREATE INDEX relay_contacts_relay ON relay_contacts (relay);
