-- Accounts, and the few values that belong to the gateway as a whole.

CREATE TABLE accounts (
    number            INTEGER NOT NULL PRIMARY KEY,
    id                BLOB    NOT NULL UNIQUE,
    dialect           TEXT    NOT NULL,
    external_name     TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    full_name         TEXT    NOT NULL,
    biography         TEXT    NOT NULL DEFAULT '',
    avatar_url        TEXT    NOT NULL DEFAULT '',
    -- Raised by every change to the account's sessions, in the transaction of the change.
    roster_generation INTEGER NOT NULL DEFAULT 0,
    -- The place of the latest of these changes among those of all accounts.
    roster_changed    INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    UNIQUE (dialect, external_name)
) STRICT;

-- Who changed since: read forward from a reader's place.
CREATE INDEX accounts_changed ON accounts (roster_changed);

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
