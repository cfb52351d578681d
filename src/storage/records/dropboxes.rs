//! Rows about drop boxes.

use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    AfterReading, BoxNumber, BoxToken, DropBox, DropId, DropMessage, EmailAddress, Form, Letter,
    NewDropBox, SecretDigest, StoredFile, Version,
};
use crate::domain::ids::AttachmentId;
use crate::storage::cells::{Cells, array, count, flag, optional_array, optional_id, time};
use crate::storage::dropping::{Gone, Standing};
use crate::storage::error::StoreError;

/// The columns that [`drop_box`] reads.
macro_rules! drop_box_columns {
    () => {
        "number, token, public_key, private_key, kdf, secret, created_at, release_at, lock_at, \
         ends_at, messages_go, box_goes, notify"
    };
}
pub(in crate::storage) use drop_box_columns;

/// The columns that [`drop_message`] reads.
macro_rules! drop_message_columns {
    () => {
        "number, id, form, encryption_key, data, hash, name, file, file_length, created_at, ends_at"
    };
}
pub(in crate::storage) use drop_message_columns;

/// The columns that [`drop_letter`] reads.
macro_rules! drop_letter_columns {
    () => {
        "id, version, secret, form, data, file, file_length, created_at, ends_at"
    };
}
pub(in crate::storage) use drop_letter_columns;

/// The columns that [`gone`] reads of messages.
macro_rules! gone_columns {
    () => {
        "box, file, octet_length(encryption_key) + octet_length(data) + octet_length(name) \
         + coalesce(file_length, 0) AS bytes"
    };
}
pub(in crate::storage) use gone_columns;

/// The number by which a version is known in a letter's row.
pub(in crate::storage) fn version_number(version: Version) -> i64 {
    match version {
        Version::One => 1,
        Version::Two => 2,
    }
}

/// A drop box.
pub(in crate::storage) fn drop_box(row: &impl Cells) -> Result<DropBox, StoreError> {
    let token = BoxToken::from_bytes(row.blob("token")?);
    let notify = row.optional_text("notify")?.map(|text| {
        EmailAddress::parse(text).ok_or(StoreError::Corrupt { column: "drop_boxes.notify" })
    });
    let release_at = match row.optional_integer("release_at")? {
        Some(_) => Some(time(row, "release_at")?),
        None => None,
    };
    let content = NewDropBox {
        token: token.ok_or(StoreError::Corrupt { column: "drop_boxes.token" })?,
        public_key: row.blob("public_key")?.to_vec(),
        private_key: row.optional_blob("private_key")?.map(<[u8]>::to_vec),
        kdf: row.optional_text("kdf")?.map(str::to_owned),
        secret: optional_array(row, "secret")?.map(SecretDigest::from_bytes),
        created_at: time(row, "created_at")?,
        release_at,
        lock_at: time(row, "lock_at")?,
        ends_at: time(row, "ends_at")?,
        after_reading: AfterReading {
            messages_go: flag(row, "messages_go")?,
            box_goes: flag(row, "box_goes")?,
        },
        notify: notify.transpose()?,
    };
    Ok(DropBox { number: BoxNumber(row.integer("number")?), content })
}

/// What a drop box has room for.
pub(in crate::storage) fn standing(row: &impl Cells) -> Result<Standing, StoreError> {
    Ok(Standing {
        lock_at: time(row, "lock_at")?,
        ends_at: time(row, "ends_at")?,
        is_closed: flag(row, "closed")?,
        messages: count(row, "kept_messages")?,
        bytes: count(row, "kept_bytes")?,
    })
}

/// A message in a drop box.
pub(in crate::storage) fn drop_message(row: &impl Cells) -> Result<DropMessage, StoreError> {
    let content = NewDropMessage {
        id: DropId(array(row, "id")?),
        form: form(row)?,
        encryption_key: row.blob("encryption_key")?.to_vec(),
        data: row.blob("data")?.to_vec(),
        hash: row.optional_text("hash")?.map(str::to_owned),
        name: row.blob("name")?.to_vec(),
        file: stored_file(row)?,
        created_at: time(row, "created_at")?,
        ends_at: time(row, "ends_at")?,
    };
    Ok(DropMessage { number: row.integer("number")?, content })
}

/// A letter.
pub(in crate::storage) fn drop_letter(row: &impl Cells) -> Result<Letter, StoreError> {
    let version = match row.integer("version")? {
        1 => Version::One,
        2 => Version::Two,
        _ => return Err(StoreError::Corrupt { column: "drop_letters.version" }),
    };
    Ok(Letter {
        id: DropId(array(row, "id")?),
        version,
        secret: SecretDigest::from_bytes(array(row, "secret")?),
        form: form(row)?,
        data: row.blob("data")?.to_vec(),
        file: stored_file(row)?,
        created_at: time(row, "created_at")?,
        ends_at: time(row, "ends_at")?,
    })
}

/// Messages that went.
pub(in crate::storage) fn gone(rows: &[impl Cells]) -> Result<Gone, StoreError> {
    let mut gone = Gone::default();
    for row in rows {
        gone.add(BoxNumber(row.integer("box")?), row.integer("bytes")?, file(row)?);
    }
    Ok(gone)
}

/// The file of a message or a letter.
pub(in crate::storage) fn file(row: &impl Cells) -> Result<Option<AttachmentId>, StoreError> {
    optional_id(row, "file")
}

fn form(row: &impl Cells) -> Result<Form, StoreError> {
    Form::from_number(row.integer("form")?).ok_or(StoreError::Corrupt { column: "form" })
}

fn stored_file(row: &impl Cells) -> Result<Option<StoredFile>, StoreError> {
    let Some(id) = file(row)? else { return Ok(None) };
    Ok(Some(StoredFile { id, length: count(row, "file_length")? }))
}
