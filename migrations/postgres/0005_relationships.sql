-- What accounts are to each other.

CREATE TABLE relationships (
    -- Who sees it so.
    owner      BIGINT NOT NULL REFERENCES accounts (number),
    other      BIGINT NOT NULL REFERENCES accounts (number),
    -- `friend` or `blocked`; no row for anybody else.
    relation   TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (owner, other)
);

CREATE INDEX relationships_listed ON relationships (owner, relation, changed_at);

-- Who has blocked an account, and whether anything names it.
CREATE INDEX relationships_other ON relationships (other, relation);
