//! A list of messages.
//!
//! | | made | how large |
//! | --- | --- | --- |
//! | decrypted, and kept | before it is sent | cut at a budget: nobody knows before what a text decrypts to |
//! | decrypted, and gone with it | while it is sent | whatever there is: what is left out would be lost |
//! | as it is kept | while it is sent | as large as what was read; of a file never more than a piece is in memory |
//!
//! What cannot be decrypted, since its sender sent something else than a message, does not keep its
//! owner from the rest. Its `MessageData` says so, and its `EncryptionKey` is null: that of a
//! message which was decrypted never is.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::answer::{Format, document};
use super::computing::Turns;
use super::crypto::{
    Base64Encoder, FillRng, PassKey, PrivateKey, StoredText, TextForm, base64_length, open_pass,
    open_text,
};
use super::intake::Sent;
use super::outflow::{self, Broken, Sink};
use super::secret::Proof;
use super::tickets::Ticket;
use super::views::MessageView;
use super::{Call, One, files, json, xml};
use crate::dialect::keyservice::transfers;
use crate::domain::dropbox::{Depot, DropMessage, Form, StoredFile};
use crate::domain::error::Fault;
use crate::domain::ports::ByteStream;

/// A place for files on their way, if there are any.
type Place = Option<transfers::Place>;

/// What is in the place of a message that cannot be decrypted.
const UNREADABLE: &str = "(This message cannot be decrypted.)";

/// What is in the place of a file whose bytes are not to be had.
const MISSING: &str = "(This file cannot be read.)";

/// A little more than what stands around a message's data.
const AROUND: u64 = 4096;

/// How long messages are decrypted for one answer that may be cut.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a message says.
enum Data {
    Text(Zeroizing<String>),
    /// The ciphertext of a file.
    File(ByteStream),
}

/// What a list is written from.
#[derive(Clone)]
pub(super) struct Listing {
    one: One,
    depot: Arc<Depot>,
    format: Format,
    turns: Turns,
    /// For decrypted messages.
    key: Option<Arc<PrivateKey>>,
    /// The largest text that is decrypted.
    most: usize,
}

impl Listing {
    /// A list for an owner who has proved to be that.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when too many are made for one network.
    pub(super) fn of(call: &Call, proof: Proof) -> Result<Self, Fault> {
        Ok(Self {
            one: call.one.clone(),
            depot: call.state.depot.clone(),
            format: call.format,
            turns: call.turns()?,
            key: match proof {
                Proof::Key(key, _) => Some(Arc::from(key)),
                Proof::Hash(_) => None,
            },
            most: usize::try_from(call.state.settings.body_limit).unwrap_or(usize::MAX),
        })
    }

    /// What [`Self::stream`] needs for files, if any may be in it, whatever messages it gets.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when too many files are on their way.
    pub(super) fn for_taken(&self, call: &Call) -> Result<Place, Fault> {
        // Decrypted, a list has no more of a file than its name.
        let has_files = self.key.is_none();
        has_files.then(|| call.state.transfers.download_place(call.asked.address)).transpose()
    }

    /// Messages that are where they were, and whether there are more of them than fit.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when too many files, or too much else, are on their way.
    pub(super) async fn answer(
        &self,
        call: &Call,
        mut sent: Sent,
        messages: Vec<DropMessage>,
    ) -> Result<(Response, bool), Fault> {
        if self.key.is_none() {
            let has_files = messages.iter().any(|message| message.content.file.is_some());
            let place = has_files
                .then(|| call.state.transfers.download_place(call.asked.address))
                .transpose()?;
            return Ok((self.stream(call, messages, place), false));
        }
        let began = Instant::now();
        let budget = call.state.settings.answer_bytes;
        let (mut out, mut is_cut) = (Zeroizing::new(String::new()), false);
        for (index, message) in messages.into_iter().enumerate() {
            let is_over = out.len() as u64 >= budget || began.elapsed() >= PATIENCE;
            let has_room = sent.set_aside(call, out.len());
            if index > 0 && (is_over || has_room.is_err()) {
                is_cut = true;
                break;
            }
            has_room?;
            let (view, data) = self.shown(message).await;
            self.before(&mut out, &view, index == 0);
            if let Data::Text(text) = data {
                self.text(&mut out, &text);
            }
            self.after(&mut out, &view);
        }
        out.push_str(self.end());
        Ok((document(StatusCode::OK, Bytes::from_owner(out), self.format), is_cut))
    }

    /// Messages, written while they are sent: all of them, however many bytes they turn out to be.
    pub(super) fn stream(&self, call: &Call, messages: Vec<DropMessage>, place: Place) -> Response {
        let bytes: u64 = messages.iter().map(|message| AROUND + message.content.bytes() * 2).sum();
        let (listing, stall) = (self.clone(), call.state.transfers.stall());
        let body = outflow::body(stall, bytes, |sink| async move {
            let _place = place;
            listing.write(messages, &sink).await?;
            Ok(sink)
        });
        document(StatusCode::OK, body, self.format)
    }

    async fn write(&self, messages: Vec<DropMessage>, sink: &Sink) -> Result<(), Broken> {
        for (index, message) in messages.into_iter().enumerate() {
            let (view, data) = self.shown(message).await;
            let mut out = Zeroizing::new(String::new());
            self.before(&mut out, &view, index == 0);
            match data {
                Data::Text(text) => self.text(&mut out, &text),
                Data::File(bytes) => {
                    sink.send(Bytes::from_owner(std::mem::take(&mut out))).await?;
                    write_file(bytes, sink).await?;
                }
            }
            self.after(&mut out, &view);
            sink.send(Bytes::from_owner(out)).await?;
        }
        sink.send(Bytes::from_static(self.end().as_bytes())).await
    }

    fn before(&self, out: &mut String, view: &MessageView, is_first: bool) {
        match self.format {
            Format::Json => json::before_data(out, view, is_first),
            Format::Xml => xml::before_data(out, view, is_first),
        }
    }

    fn text(&self, out: &mut String, text: &str) {
        match self.format {
            Format::Json => json::escape(out, text),
            Format::Xml => xml::escape(out, text),
        }
    }

    fn after(&self, out: &mut String, view: &MessageView) {
        match self.format {
            Format::Json => json::after_data(out, view),
            Format::Xml => xml::after_data(out, view),
        }
    }

    fn end(&self) -> &'static str {
        match self.format {
            Format::Json => "]",
            Format::Xml => "</response>",
        }
    }

    /// What is shown of a message. One that is not what it should be breaks no list.
    async fn shown(&self, message: DropMessage) -> (MessageView, Data) {
        match (&self.key, message.content.file) {
            (None, None) => as_kept(message),
            (None, Some(file)) => self.kept_file(message, file).await,
            (Some(key), None) => self.opened(message, key).await,
            (Some(key), Some(file)) => self.offered(message, file, key).await,
        }
    }

    /// A file as it is kept; its bytes are at hand before anything is said of it.
    async fn kept_file(&self, message: DropMessage, file: StoredFile) -> (MessageView, Data) {
        match self.depot.bytes(file).await {
            Ok(bytes) => (as_kept(message).0, Data::File(bytes)),
            Err(_) => marked(view(&message), MISSING),
        }
    }

    /// A text, decrypted.
    async fn opened(&self, message: DropMessage, key: &Arc<PrivateKey>) -> (MessageView, Data) {
        let mut view = view(&message);
        let (key, most, entropy) = (key.clone(), self.most, self.depot.gateway().entropy.clone());
        let open = move || {
            let content = &message.content;
            let stored = StoredText {
                form: text_form(content.form),
                encryption_key: str::from_utf8(&content.encryption_key).ok()?,
                data: str::from_utf8(&content.data).ok()?,
                hash: content.hash.as_deref(),
            };
            let fill = |bytes: &mut [u8]| entropy.fill(bytes);
            open_text(&stored, &key, most, &mut FillRng::new(&fill)).ok()
        };
        let Ok(Some(opened)) = self.turns.compute(open).await else {
            return marked(view, UNREADABLE);
        };
        view.encryption_key = Some(opened.encryption_key);
        (view, Data::Text(opened.text))
    }

    /// A file: its name, and what it can be fetched with for two minutes. Trouble with a disk is no
    /// reason to say that the file is lost.
    async fn offered(
        &self,
        message: DropMessage,
        file: StoredFile,
        key: &Arc<PrivateKey>,
    ) -> (MessageView, Data) {
        let mut view = view(&message);
        let (key, entropy) = (key.clone(), self.depot.gateway().entropy.clone());
        let open = move || {
            let fill = |bytes: &mut [u8]| entropy.fill(bytes);
            let kept = str::from_utf8(&message.content.encryption_key).ok()?;
            let pass = open_pass(kept, &key, &mut FillRng::new(&fill)).ok()?;
            let key = PassKey::derive(&pass);
            Some((pass, key))
        };
        let Ok(Some((pass, key))) = self.turns.compute(open).await else {
            return marked(view, UNREADABLE);
        };
        let name = match files::name(&self.turns, &self.depot, file, &key).await {
            Ok(name) => name,
            Err(Fault::NotFound { .. }) => return marked(view, MISSING),
            Err(_) => files::NAMELESS.to_owned(),
        };
        let ticket = Ticket { file, pass: pass.clone() };
        let Ok(ticket) = self.one.0.tickets.seal(&ticket, &self.depot) else {
            return marked(view, MISSING);
        };
        view.ticket = Some(ticket);
        view.encryption_key = Some(pass);
        (view, Data::Text(Zeroizing::new(name)))
    }
}

/// A file's ciphertext in base64, none of whose letters needs an escape.
async fn write_file(mut bytes: ByteStream, sink: &Sink) -> Result<(), Broken> {
    let mut encoder = Base64Encoder::default();
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

/// What version 1's ciphers call a form.
pub(super) fn text_form(form: Form) -> TextForm {
    if form == Form::Utf8 { TextForm::Utf8 } else { TextForm::Latin }
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
    (view, Data::Text(text(content.data)))
}

/// A message of which there is nothing but a remark.
fn marked(view: MessageView, remark: &str) -> (MessageView, Data) {
    (view, Data::Text(Zeroizing::new(remark.to_owned())))
}
