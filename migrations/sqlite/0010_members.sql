-- Members: accounts that are known by a name, their devices, which sign each request, and what these
-- leave here for others.

CREATE TABLE members (
    account    INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (number),
    -- The gateway that it belongs to; empty for this one.
    relay      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    -- Whether its first device comes by its own word; it has to have a token otherwise.
    enrols_itself INTEGER NOT NULL,
    -- Whether it ever had a device: it is shown to nobody, and removed before long, if not.
    had_device INTEGER NOT NULL,
    -- Whether it stands in the list that everybody may read.
    is_discoverable INTEGER NOT NULL DEFAULT 1,
    UNIQUE (relay, name)
) STRICT;

-- Pages of those of this gateway that are listed.
CREATE INDEX members_listed ON members (relay, is_discoverable, account) WHERE had_device = 1;

-- Those that never came to anything.
CREATE INDEX members_idle ON members (account) WHERE had_device = 0;

-- Whether anything names an account, which is removed otherwise.
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX conversations_creator ON conversations (creator);

-- What a live session of a member has beside what all sessions have. The row goes when the session
-- ends. The texts are as their owner wrote them.
CREATE TABLE member_devices (
    session          INTEGER NOT NULL PRIMARY KEY REFERENCES sessions (number),
    account          INTEGER NOT NULL REFERENCES members (account),
    identity_key     TEXT    NOT NULL,
    agreement_key    TEXT    NOT NULL,
    -- The prekey with its owner's signature.
    signed_key       TEXT    NOT NULL,
    signed_signature TEXT    NOT NULL,
    label            TEXT,
    -- Whether it signs all of a request.
    is_strong        INTEGER NOT NULL,
    -- Its id at the gateway that speaks for it, if that is another one.
    id_there         TEXT
) STRICT;

CREATE INDEX member_devices_account ON member_devices (account, session);

-- Tokens that have enrolled a device, as long as they would be good otherwise.
CREATE TABLE used_enrolments (
    -- The beginning of a hash of the token, 16 bytes.
    hash       BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_enrolments_end ON used_enrolments (expires_at);

-- Prekeys that were given out or used. They are remembered for a while, so that nobody is given one
-- again, however often its owner leaves it here.
CREATE TABLE taken_keys (
    session    INTEGER NOT NULL REFERENCES sessions (number),
    public_key TEXT    NOT NULL,
    -- Until then an introduction may name it; 0 when one has.
    usable_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (session, public_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX taken_keys_end ON taken_keys (expires_at);

-- Introductions that wait for the device that they are for. The texts are as they came.
CREATE TABLE introductions (
    number        INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    sender        INTEGER NOT NULL REFERENCES sessions (number),
    recipient     INTEGER NOT NULL REFERENCES sessions (number),
    ephemeral_key TEXT    NOT NULL,
    sender_key    TEXT    NOT NULL,
    one_time_key  TEXT    NOT NULL,
    ciphertext    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    -- One that comes again is the same.
    UNIQUE (recipient, sender, ephemeral_key)
) STRICT;

CREATE INDEX introductions_waiting ON introductions (recipient, number);
CREATE INDEX introductions_sender ON introductions (sender);
CREATE INDEX introductions_end ON introductions (expires_at);

-- Devices of which one has confirmed the other's introduction: the latest.
CREATE TABLE pairs (
    sender        INTEGER NOT NULL REFERENCES sessions (number),
    recipient     INTEGER NOT NULL REFERENCES sessions (number),
    -- That of the introduction, and its key, so that one that comes late is known.
    id            BLOB    NOT NULL UNIQUE,
    ephemeral_key TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (sender, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX pairs_recipient ON pairs (recipient);

-- The conversation of two accounts, whose id does not follow from theirs.
CREATE TABLE direct_chats (
    -- The lower and the higher of their numbers.
    low          INTEGER NOT NULL REFERENCES accounts (number),
    high         INTEGER NOT NULL REFERENCES accounts (number),
    conversation INTEGER NOT NULL UNIQUE REFERENCES conversations (number),
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;

CREATE INDEX direct_chats_high ON direct_chats (high);

-- The newest message of conversations of members; written from time to time, and no row before the
-- first.
CREATE TABLE chats (
    conversation INTEGER NOT NULL PRIMARY KEY REFERENCES conversations (number),
    message_id   BLOB    NOT NULL,
    latest_at    INTEGER NOT NULL
) STRICT;

-- How far messages got, for their senders; dropped by time. It is as hot as inboxes are.
CREATE TABLE receipts (
    shard        INTEGER NOT NULL,
    -- The account that sent the message.
    sender       INTEGER NOT NULL,
    message_id   BLOB    NOT NULL,
    -- The session that it came to.
    session      INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    read_at      INTEGER,
    PRIMARY KEY (shard, sender, message_id, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX receipts_age ON receipts (delivered_at);
