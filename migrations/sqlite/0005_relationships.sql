-- What accounts are to each other.

CREATE TABLE relationships (
    -- Who sees it so.
    owner      INTEGER NOT NULL REFERENCES accounts (number),
    other      INTEGER NOT NULL REFERENCES accounts (number),
    -- `friend` or `blocked`; no row for anybody else.
    relation   TEXT    NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (owner, other)
) STRICT, WITHOUT ROWID;

CREATE INDEX relationships_listed ON relationships (owner, relation, changed_at);

-- Who has blocked an account, and whether anything names it.
CREATE INDEX relationships_other ON relationships (other, relation);
