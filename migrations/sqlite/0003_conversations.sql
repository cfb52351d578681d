-- Conversations and who takes part.

CREATE TABLE conversations (
    number     INTEGER NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    category   TEXT    NOT NULL,
    creator    INTEGER NOT NULL REFERENCES accounts (number),
    created_at INTEGER NOT NULL,
    -- Raised by every change to who takes part, in the transaction of the change.
    generation INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE participants (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    account      INTEGER NOT NULL REFERENCES accounts (number),
    role         TEXT    NOT NULL,
    joined_at    INTEGER NOT NULL,
    PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;

-- Whom an account shares a conversation with.
CREATE INDEX participants_account ON participants (account, conversation);
