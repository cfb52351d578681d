-- Accounts, and the few values that belong to the gateway as a whole.

CREATE TABLE accounts (
    number            INTEGER NOT NULL PRIMARY KEY,
    id                BLOB    NOT NULL UNIQUE,
    dialect           TEXT    NOT NULL,
    external_name     TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    full_name         TEXT    NOT NULL,
    -- Raised by every change to the account's sessions, in the transaction of the change.
    roster_generation INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    UNIQUE (dialect, external_name)
) STRICT;

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
