//! Handing messages out: rows are claimed in the database, by whoever comes first.
