//! The tables in the order in which they travel, and the rows of those that each database lays out in
//! its own way.

use serde::{Deserialize, Serialize};

/// A table as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Table {
    /// As it is, but for the columns that only one database has ([`LEFT_OUT`]).
    Plain(&'static str),
    /// Rows of inboxes with their slots, in the order of their messages.
    Inbox,
    /// The ids of accepted messages. In the file the time is that of the last one of a group.
    Seen,
    /// How far numbers have been given out.
    Sequences,
}

/// All of them; whoever refers to another one comes after it.
pub(in crate::storage) const TABLES: &[Table] = &[
    Table::Plain("settings"),
    Table::Plain("accounts"),
    Table::Plain("sessions"),
    Table::Plain("api_tokens"),
    Table::Plain("conversations"),
    Table::Plain("participants"),
    Table::Plain("payloads"),
    Table::Inbox,
    Table::Plain("ended_inboxes"),
    Table::Seen,
    Table::Plain("relationships"),
    Table::Plain("requests"),
    Table::Plain("request_totals"),
    Table::Plain("top_ups"),
    Table::Plain("invites"),
    Table::Plain("used_tokens"),
    Table::Plain("attachments"),
    Table::Plain("phones"),
    Table::Plain("devices"),
    Table::Plain("prekeys"),
    Table::Plain("codes"),
    Table::Plain("relay_contacts"),
    Table::Plain("members"),
    Table::Plain("member_devices"),
    Table::Plain("used_enrolments"),
    Table::Plain("taken_keys"),
    Table::Plain("introductions"),
    Table::Plain("pairs"),
    Table::Plain("direct_chats"),
    Table::Plain("chats"),
    Table::Plain("receipts"),
    Table::Plain("nodes"),
    Table::Plain("node_nonces"),
    Table::Plain("node_guests"),
    Table::Plain("node_lines"),
    Table::Plain("node_letters"),
    Table::Plain("drop_boxes"),
    Table::Plain("drop_messages"),
    Table::Plain("drop_letters"),
    Table::Plain("drop_files"),
    Table::Sequences,
];

/// Columns that only one database has, and that follow from the others or are of no use elsewhere:
/// where slots and payloads stand, and how far the search for late messages is.
pub(in crate::storage) const LEFT_OUT: &[(&str, &str)] = &[
    ("payloads", "slots"),
    ("top_ups", "home"),
    ("ended_inboxes", "successor"),
    ("ended_inboxes", "look_at"),
];

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::storage) enum Kind {
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::storage) struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Cell {
    /// None.
    Null,
    /// Of a column of numbers.
    Number(i64),
    /// Of a column of texts.
    Text(String),
    /// Of a column of bytes.
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of the columns.
pub(in crate::storage) type Row = Vec<Cell>;

impl Table {
    /// Its name in the file.
    pub(in crate::storage) fn name(self) -> &'static str {
        match self {
            Self::Plain(name) => name,
            Self::Inbox => "inbox",
            Self::Seen => "seen_messages",
            Self::Sequences => "sequences",
        }
    }

    /// Whether a database that was only just made has no rows in it.
    pub(super) fn is_empty_at_first(self) -> bool {
        !matches!(self, Self::Plain("settings") | Self::Sequences)
    }

    /// How many of its columns are sure to come back as they went in: of an id that was seen, the
    /// time may have become that of its group.
    pub(super) fn kept_columns(self, all: usize) -> usize {
        match self {
            Self::Seen => all.saturating_sub(1),
            _ => all,
        }
    }

    /// The columns of a table that has a form of its own for the way.
    pub(in crate::storage) fn own_columns(self) -> Option<Vec<Column>> {
        use Kind::{Bytes, Number, Text};

        let columns: &[(&str, Kind)] = match self {
            Self::Plain(_) => return None,
            Self::Inbox => &[
                ("number", Number),
                ("home", Number),
                ("shard", Number),
                ("session", Number),
                ("deliveries", Number),
                ("set_aside_at", Number),
                ("slot", Bytes),
            ],
            Self::Seen => &[
                ("sender", Number),
                ("message_id", Bytes),
                ("digest", Bytes),
                ("accepted_at", Number),
            ],
            Self::Sequences => &[("name", Text), ("value", Number)],
        };
        let column = |(name, kind): &(&str, Kind)| Column { name: (*name).to_owned(), kind: *kind };
        Some(columns.iter().map(column).collect())
    }
}

impl Column {
    /// The column of that type, in SQLite's words or PostgreSQL's.
    pub(in crate::storage) fn new(name: String, kind: &str) -> Option<Self> {
        let kind = match kind {
            "INTEGER" | "bigint" => Kind::Number,
            "TEXT" | "text" => Kind::Text,
            "BLOB" | "bytea" => Kind::Bytes,
            _ => return None,
        };
        Some(Self { name, kind })
    }
}

impl Cell {
    /// About what it takes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// A number, where there is one.
    pub(in crate::storage) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes, where there are any.
    pub(in crate::storage) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A text, where there is one.
    pub(in crate::storage) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
