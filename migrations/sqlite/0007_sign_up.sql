-- Signing up: the operator's invitations, and tokens that are accepted once.

CREATE TABLE invites (
    number     INTEGER NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    -- SHA-256 of the code; the code itself is kept nowhere.
    hash       BLOB    NOT NULL UNIQUE,
    -- How many may sign up with it, and how many have.
    uses       INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE used_tokens (
    -- The Ed25519 key that signed, and SHA-256 of the token's `jti`.
    signer     BLOB    NOT NULL,
    jti        BLOB    NOT NULL,
    -- SHA-256 of what it asked for, so that the same question can be told from another one.
    request    BLOB    NOT NULL,
    -- Not before this time may the row go.
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (signer, jti)
) STRICT, WITHOUT ROWID;

-- Dropped by time.
CREATE INDEX used_tokens_end ON used_tokens (expires_at);

-- The one order of all changes to rosters. The row is raised in the transaction of the change and
-- locked until its end, so a number that can be read has no lower one still to come.
INSERT INTO sequences (name, value) VALUES ('rosters', 0);
