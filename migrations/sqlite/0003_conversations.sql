-- Conversations and who takes part.

CREATE TABLE conversations (
    number       INTEGER NOT NULL PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    category     TEXT    NOT NULL,
    creator      INTEGER NOT NULL REFERENCES accounts (number),
    created_at   INTEGER NOT NULL,
    -- Raised by every change to who takes part and to the columns below, in the transaction of the
    -- change. What one participant sees alone does not raise it.
    generation   INTEGER NOT NULL DEFAULT 0,
    name         TEXT    NOT NULL DEFAULT '',
    announcement TEXT    NOT NULL DEFAULT '',
    -- Opens a group to whoever knows it; a contact conversation and an empty group have none.
    code         BLOB    UNIQUE,
    -- Seconds after reading until messages disappear; 0 for never.
    expire_in    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE participants (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    account      INTEGER NOT NULL REFERENCES accounts (number),
    role         TEXT    NOT NULL,
    joined_at    INTEGER NOT NULL,
    -- Shown to this participant alone.
    muted_until  INTEGER,
    PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;

-- Whom an account shares a conversation with.
CREATE INDEX participants_account ON participants (account, conversation);
