-- Other gateways that serve members, and what waits to be brought to them.

-- What is known of a gateway. Its key is that of the first sight, for ever.
CREATE TABLE nodes (
    id           TEXT    NOT NULL PRIMARY KEY,
    api_url      TEXT    NOT NULL,
    -- Ed25519, 32 bytes.
    public_key   BLOB    NOT NULL,
    -- Whether it has signed a body, and is held to that.
    is_strong    INTEGER NOT NULL,
    looked_up_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers that gateways used for a request, until such a request is too old anyway.
CREATE TABLE node_nonces (
    node    TEXT    NOT NULL,
    nonce   TEXT    NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (node, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX node_nonces_end ON node_nonces (ends_at);

-- Members of other gateways who have come to nothing yet, and when it is looked whether that is still
-- so.
CREATE TABLE node_guests (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (number),
    look_at INTEGER NOT NULL
) STRICT;

CREATE INDEX node_guests_look ON node_guests (look_at);

-- What one session writes to one gateway stands in line. There is no line without a letter.
CREATE TABLE node_lines (
    sender   INTEGER NOT NULL REFERENCES sessions (number),
    node     TEXT    NOT NULL,
    -- How many letters that is, and their bytes.
    letters  INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    -- How often the first letter was brought in vain.
    attempts INTEGER NOT NULL,
    -- When it is brought, or brought again.
    next_at  INTEGER NOT NULL,
    PRIMARY KEY (sender, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX node_lines_next ON node_lines (next_at);
CREATE INDEX node_lines_node ON node_lines (node);

CREATE TABLE node_letters (
    sender     INTEGER NOT NULL REFERENCES sessions (number),
    node       TEXT    NOT NULL,
    -- Its place in the line.
    number     INTEGER NOT NULL,
    -- The sender's id for it.
    logical    TEXT    NOT NULL,
    -- Of the body, 16 bytes.
    digest     BLOB    NOT NULL,
    -- The request, as it is brought.
    body       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (sender, node, number)
) STRICT;

-- A letter waits once.
CREATE UNIQUE INDEX node_letters_logical ON node_letters (sender, node, logical, digest);
CREATE INDEX node_letters_end ON node_letters (expires_at);
