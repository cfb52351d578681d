//! A list of messages, which is written while it is sent: one text is in memory in the clear at a
//! time, and of a file never more than a piece.
//!
//! What cannot be decrypted, since its sender sent something else than a message, does not keep its
//! owner from the rest. Its `MessageData` says so, and its `EncryptionKey` is null: that of a
//! message which was decrypted never is.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use zeroize::Zeroizing;

use super::answer::{Format, document};
use super::crypto::{
    Base64Encoder, FillRng, PassKey, PrivateKey, StoredText, TextForm, base64_length, open_pass,
    open_text,
};
use super::outflow::{self, Broken, Sink};
use super::secret::Proof;
use super::tickets::Ticket;
use super::views::MessageView;
use super::{Call, One, files, json, xml};
use crate::domain::dropbox::{Depot, DropMessage, Form, StoredFile};
use crate::domain::error::Fault;

/// What is in the place of a message that cannot be decrypted.
const UNREADABLE: &str = "(This message cannot be decrypted.)";

/// A little more than what stands around a message's data.
const AROUND: u64 = 4096;

/// What a message says.
enum Data {
    Text(Zeroizing<String>),
    /// The ciphertext of a file.
    File(StoredFile),
}

/// What the list is written from.
struct Listing {
    one: One,
    depot: Arc<Depot>,
    format: Format,
    /// For decrypted messages.
    key: Option<Arc<PrivateKey>>,
    /// The largest text that is decrypted.
    most: usize,
}

/// Messages of a box for its owner.
///
/// # Errors
/// [`Fault::Unavailable`] when too many files are on their way.
pub(super) fn answer(
    call: &Call,
    proof: Proof,
    messages: Vec<DropMessage>,
) -> Result<Response, Fault> {
    let files = messages.iter().filter_map(|message| message.content.file);
    let bytes: u64 = messages.iter().map(|message| AROUND + message.content.bytes() * 2).sum();
    let has_files = files.count() > 0;
    let transfers = &call.state.transfers;
    let place = has_files.then(|| transfers.download_place(call.asked.address)).transpose()?;
    let listing = Listing {
        one: call.one.clone(),
        depot: call.state.depot.clone(),
        format: call.format,
        key: match proof {
            Proof::Key(key, _) => Some(Arc::from(key)),
            Proof::Hash(_) => None,
        },
        most: usize::try_from(call.state.settings.body_limit).unwrap_or(usize::MAX),
    };
    let body = outflow::body(transfers.stall(), bytes, |sink| async move {
        let _place = place;
        listing.write(messages, &sink).await?;
        Ok(sink)
    });
    Ok(document(StatusCode::OK, body, call.format))
}

impl Listing {
    async fn write(&self, messages: Vec<DropMessage>, sink: &Sink) -> Result<(), Broken> {
        for (index, message) in messages.into_iter().enumerate() {
            let (view, data) = self.shown(message).await?;
            let mut out = String::new();
            match self.format {
                Format::Json => json::before_data(&mut out, &view, index == 0),
                Format::Xml => xml::before_data(&mut out, &view, index == 0),
            }
            match data {
                Data::Text(text) => match self.format {
                    Format::Json => json::escape(&mut out, &text),
                    Format::Xml => xml::escape(&mut out, &text),
                },
                Data::File(file) => {
                    sink.send(std::mem::take(&mut out).into()).await?;
                    self.write_file(file, sink).await?;
                }
            }
            match self.format {
                Format::Json => json::after_data(&mut out, &view),
                Format::Xml => xml::after_data(&mut out, &view),
            }
            sink.send(out.into()).await?;
        }
        let end = match self.format {
            Format::Json => "]",
            Format::Xml => "</response>",
        };
        sink.send(Bytes::from_static(end.as_bytes())).await
    }

    /// A file's ciphertext in base64, none of whose letters needs an escape.
    async fn write_file(&self, file: StoredFile, sink: &Sink) -> Result<(), Broken> {
        let mut encoder = Base64Encoder::default();
        let mut bytes = self.depot.bytes(file).await?;
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            let length = usize::try_from(base64_length(piece.len() as u64)).unwrap_or_default();
            let mut text = String::with_capacity(length);
            encoder.update(&piece, &mut text);
            sink.send(text.into()).await?;
        }
        let mut text = String::new();
        encoder.finish(&mut text);
        sink.send(text.into()).await
    }

    async fn shown(&self, message: DropMessage) -> Result<(MessageView, Data), Fault> {
        match &self.key {
            None => Ok(as_kept(message)),
            Some(key) => match message.content.file {
                None => self.opened(message, key).await,
                Some(file) => self.offered(message, file, key).await,
            },
        }
    }

    /// A text, decrypted.
    async fn opened(
        &self,
        message: DropMessage,
        key: &Arc<PrivateKey>,
    ) -> Result<(MessageView, Data), Fault> {
        let mut view = view(&message);
        let (key, most, entropy) = (key.clone(), self.most, self.depot.gateway().entropy.clone());
        let open = move || {
            let content = &message.content;
            let stored = StoredText {
                form: if content.form == Form::Utf8 { TextForm::Utf8 } else { TextForm::Latin },
                encryption_key: str::from_utf8(&content.encryption_key).ok()?,
                data: str::from_utf8(&content.data).ok()?,
                hash: content.hash.as_deref(),
            };
            let fill = |bytes: &mut [u8]| entropy.fill(bytes);
            open_text(&stored, &key, most, &mut FillRng::new(&fill)).ok()
        };
        let Some(opened) = self.one.compute(open).await? else { return Ok(unreadable(view)) };
        view.encryption_key = Some(opened.encryption_key);
        Ok((view, Data::Text(opened.text)))
    }

    /// A file: its name, and what it can be fetched with for two minutes.
    async fn offered(
        &self,
        message: DropMessage,
        file: StoredFile,
        key: &Arc<PrivateKey>,
    ) -> Result<(MessageView, Data), Fault> {
        let mut view = view(&message);
        let (key, entropy) = (key.clone(), self.depot.gateway().entropy.clone());
        let open = move || {
            let fill = |bytes: &mut [u8]| entropy.fill(bytes);
            let kept = str::from_utf8(&message.content.encryption_key).ok()?;
            let pass = open_pass(kept, &key, &mut FillRng::new(&fill)).ok()?;
            let key = PassKey::derive(&pass);
            Some((pass, key))
        };
        let Some((pass, key)) = self.one.compute(open).await? else { return Ok(unreadable(view)) };
        let name = match files::name(&self.one, &self.depot, file, &key).await {
            Ok(name) => name,
            // Another disk's trouble is no reason to say that the file is lost.
            Err(fault @ Fault::Unavailable { .. }) => return Err(fault),
            Err(_) => return Ok(unreadable(view)),
        };
        let ticket = Ticket { file, pass: pass.clone() };
        view.ticket = Some(self.one.0.tickets.seal(&ticket, &self.depot)?);
        view.encryption_key = Some(pass);
        Ok((view, Data::Text(Zeroizing::new(name))))
    }
}

fn view(message: &DropMessage) -> MessageView {
    MessageView {
        number: message.number,
        encryption_key: None,
        created_at: message.content.created_at,
        hash: message.content.hash.clone(),
        is_file: message.content.form == Form::File,
        ticket: None,
    }
}

fn as_kept(message: DropMessage) -> (MessageView, Data) {
    let mut view = view(&message);
    let content = message.content;
    // What senders bring is text; nothing of it was ever anything else.
    let text = |bytes: Vec<u8>| Zeroizing::new(String::from_utf8(bytes).unwrap_or_default());
    view.encryption_key = Some(text(content.encryption_key));
    let data = match content.file {
        Some(file) => Data::File(file),
        None => Data::Text(text(content.data)),
    };
    (view, data)
}

fn unreadable(view: MessageView) -> (MessageView, Data) {
    (view, Data::Text(Zeroizing::new(UNREADABLE.to_owned())))
}
