-- Encrypted files: who may upload one, and what was uploaded. The bytes are in files of their own.

CREATE TABLE attachments (
    id         BYTEA  NOT NULL PRIMARY KEY,
    owner      BIGINT NOT NULL REFERENCES accounts (number),
    created_at BIGINT NOT NULL,
    -- From this time on there is no such attachment; 0 while its file is being removed.
    expires_at BIGINT NOT NULL,
    -- Size and SHA-256 of what was uploaded, once it was: both or neither.
    length     BIGINT,
    digest     BYTEA
);

-- What is over is found by time.
CREATE INDEX attachments_expiry ON attachments (expires_at);

-- How much an account keeps, and how many of its uploads are still to come.
CREATE INDEX attachments_owner ON attachments (owner, length);
