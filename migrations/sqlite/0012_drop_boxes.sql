-- Drop boxes: whoever knows the token of one may leave messages in it, its owner alone reads them.

-- A number is not used twice: whoever has the number of a box that is gone reaches no other one.
CREATE TABLE drop_boxes (
    number        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- 8 bytes in version 1, 16 in version 2.
    token         BLOB    NOT NULL UNIQUE,
    public_key    BLOB    NOT NULL,
    -- Encrypted by its owner's means.
    private_key   BLOB,
    kdf           TEXT,
    -- SHA-256 of what proves its owner, 32 bytes.
    secret        BLOB,
    created_at    INTEGER NOT NULL,
    -- Nobody reads it before.
    release_at    INTEGER,
    -- It takes nothing from then on.
    lock_at       INTEGER NOT NULL,
    -- It is over from then on; 0 while it is being removed.
    ends_at       INTEGER NOT NULL,
    -- 1 once its end was read: it takes nothing any more, whatever the clock of a writer says.
    closed        INTEGER NOT NULL DEFAULT 0,
    -- What goes once it was read.
    messages_go   INTEGER NOT NULL,
    box_goes      INTEGER NOT NULL,
    -- The mail address that is told of new messages.
    notify        TEXT,
    -- The number of the newest message that was ever in it, and what is in it now.
    last_message  INTEGER NOT NULL DEFAULT 0,
    kept_messages INTEGER NOT NULL DEFAULT 0,
    kept_bytes    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX drop_boxes_end ON drop_boxes (ends_at);

-- In the order in which they are read. There is no message without its box.
CREATE TABLE drop_messages (
    box            INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    -- 16 random bytes.
    id             BLOB    NOT NULL,
    form           INTEGER NOT NULL,
    encryption_key BLOB    NOT NULL,
    hash           TEXT,
    name           BLOB    NOT NULL,
    -- The id and the bytes of its file: both or neither.
    file           BLOB,
    file_length    INTEGER,
    created_at     INTEGER NOT NULL,
    ends_at        INTEGER NOT NULL,
    -- Last, so that nothing has to read past it.
    data           BLOB    NOT NULL,
    PRIMARY KEY (box, number)
) STRICT, WITHOUT ROWID;

-- By the id alone, so that nothing but a search for one goes this way.
CREATE INDEX drop_messages_id ON drop_messages (id);
CREATE INDEX drop_messages_end ON drop_messages (ends_at);

-- Messages without a box, which go when they are read.
CREATE TABLE drop_letters (
    id          BLOB    NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL,
    -- SHA-256 of what its reader shows, 32 bytes.
    secret      BLOB    NOT NULL,
    form        INTEGER NOT NULL,
    file        BLOB,
    file_length INTEGER,
    created_at  INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    data        BLOB    NOT NULL
) STRICT;

CREATE INDEX drop_letters_end ON drop_letters (ends_at);

-- Files of messages and letters, on file before their bytes come and until they are gone.
CREATE TABLE drop_files (
    id      BLOB    NOT NULL PRIMARY KEY,
    -- From this time on it is over; 0 while its bytes are being removed.
    ends_at INTEGER NOT NULL,
    -- 1 once a message or a letter keeps it.
    kept    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX drop_files_end ON drop_files (ends_at);
