-- Other gateways that serve members, and what waits to be brought to them.

-- What is known of a gateway. Its key is that of the first sight, for ever.
CREATE TABLE nodes (
    id           TEXT   NOT NULL PRIMARY KEY,
    api_url      TEXT   NOT NULL,
    -- Ed25519, 32 bytes.
    public_key   BYTEA  NOT NULL,
    -- Whether it has signed a body, and is held to that.
    is_strong    BIGINT NOT NULL,
    looked_up_at BIGINT NOT NULL
);

-- Numbers that gateways used for a request, until such a request is too old anyway.
CREATE TABLE node_nonces (
    node    TEXT   NOT NULL,
    nonce   TEXT   NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (node, nonce)
);

CREATE INDEX node_nonces_end ON node_nonces (ends_at);

-- Members of other gateways who have come to nothing yet, and when it is looked whether that is still
-- so.
CREATE TABLE node_guests (
    account BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (number),
    look_at BIGINT NOT NULL
);

CREATE INDEX node_guests_look ON node_guests (look_at);

-- What one session writes to one gateway stands in line. There is no line without a letter.
CREATE TABLE node_lines (
    sender   BIGINT NOT NULL REFERENCES sessions (number),
    node     TEXT   NOT NULL,
    -- How many letters that is, and their bytes.
    letters  BIGINT NOT NULL,
    bytes    BIGINT NOT NULL,
    -- How often the first letter was brought in vain.
    attempts BIGINT NOT NULL,
    -- When it is brought, or brought again.
    next_at  BIGINT NOT NULL,
    PRIMARY KEY (sender, node)
);

CREATE INDEX node_lines_next ON node_lines (next_at);
CREATE INDEX node_lines_node ON node_lines (node);

CREATE TABLE node_letters (
    sender     BIGINT NOT NULL REFERENCES sessions (number),
    node       TEXT   NOT NULL,
    -- Its place in the line.
    number     BIGINT NOT NULL,
    -- The sender's id for it.
    logical    TEXT   NOT NULL,
    -- Of the body, 16 bytes.
    digest     BYTEA  NOT NULL,
    -- The request, as it is brought.
    body       BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (sender, node, number)
);

-- A letter waits once.
CREATE UNIQUE INDEX node_letters_logical ON node_letters (sender, node, logical, digest);
CREATE INDEX node_letters_end ON node_letters (expires_at);
