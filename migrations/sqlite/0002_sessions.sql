-- Signed-in devices, live and ended, and the plain tokens that act for them.

CREATE TABLE sessions (
    number        INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    account       INTEGER NOT NULL REFERENCES accounts (number),
    -- Unique over all sessions ever, so that no key comes back under another name. Both keys are
    -- missing for a device that proves itself otherwise.
    signing_key   BLOB    UNIQUE,
    agreement_key BLOB,
    platform      TEXT    NOT NULL,
    -- The session that added this one, and its signature: both or neither.
    added_by      BLOB,
    attestation   BLOB,
    created_at    INTEGER NOT NULL,
    -- When it last looked into its inbox, to within half an hour or so; 0 before it first did.
    last_seen_at  INTEGER NOT NULL DEFAULT 0,
    ended_at      INTEGER
) STRICT;

-- A roster is an account's live sessions. All that it says of them is here, so that nobody who seals
-- for an account has to read their rows; `ended_at` as well, which SQLite looks at once more.
CREATE INDEX sessions_live ON sessions (account, ended_at, id, agreement_key, platform)
    WHERE ended_at IS NULL;

CREATE TABLE api_tokens (
    -- SHA-256 of the token; the token itself is kept nowhere.
    hash       BLOB    NOT NULL PRIMARY KEY,
    session    INTEGER NOT NULL REFERENCES sessions (number),
    scopes     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ending a session takes its tokens with it.
CREATE INDEX api_tokens_session ON api_tokens (session);
