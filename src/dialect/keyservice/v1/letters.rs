//! Letters, which are gone once they were read: `POST /Service/SelfDestruct` leaves one, and the
//! pages below `/SelfDestruct` show it.
//!
//! In the original to open the link was to destroy the letter, so whatever looked at links in a
//! mail destroyed it before its reader came. Here the link leads to a page with a button. Its
//! passphrase is in the query all the same, which is what the original's mail looks like; version 2
//! does better.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream;
use zeroize::Zeroizing;

use super::answer::{self, status, words};
use super::crypto::{
    FillRng, PassKey, SealedLetter, TextForm, hash, open_letter, seal_letter, self_destruct_word,
};
use super::intake::{self, Sent, SentFile, Takes};
use super::letter_page::{self, Hidden, Shown};
use super::names::Name;
use super::parameters::Parameters;
use super::sending::form_of;
use super::tickets::Ticket;
use super::{Call, files};
use crate::domain::dropbox::depot::NewLetter;
use crate::domain::dropbox::{
    DropId, EmailAddress, Form, Letter, SecretDigest, StoredFile, Version,
};
use crate::domain::error::Fault;
use crate::http::blobs::Addresses;

/// What a text grows to on its way, at most.
const GROWTH: usize = 4;

/// What a letter's file is called whose sender does not say it.
const NAMELESS: &str = "attachment";

/// Leaves a letter and mails its link; if no mail is sent here, the answer is the link.
///
/// # Errors
/// [`Fault::Malformed`] without a message or an address, [`Fault::Invalid`] for what cannot be used,
/// [`Fault::RateLimited`] for too many letters, or mails to one reader.
pub(super) async fn leave(call: &Call, request: Request) -> Result<Response, Fault> {
    let base = base(call, request.uri(), request.headers());
    let entropy = call.state.depot.gateway().entropy.clone();
    let word = self_destruct_word(&mut FillRng::new(&|bytes| entropy.fill(bytes)));
    let takes = Takes::LetterFile(word.clone());
    let mut sent = intake::read(call, request, &takes).await?;
    let mut files = std::mem::take(&mut sent.files);
    let left = keep(call, &mut sent, &mut files, word, base).await;
    if left.is_err() {
        intake::abandon(&call.state.depot, files).await;
    }
    left
}

async fn keep(
    call: &Call,
    sent: &mut Sent,
    files: &mut Vec<SentFile>,
    word: Zeroizing<String>,
    base: Option<String>,
) -> Result<Response, Fault> {
    let base = base.ok_or_else(|| Fault::malformed("the request does not say where it went"))?;
    let parameters = &sent.parameters;
    let (Some(text), Some(to)) = (parameters.text(Name::Message), parameters.text(Name::Email))
    else {
        return Err(Fault::malformed("message and email required"));
    };
    let to = EmailAddress::parse(to.trim());
    let to = to.ok_or_else(|| Fault::invalid(Name::Email.text(), "is not an e-mail address"))?;
    let text = Zeroizing::new(text.to_owned());
    let attachment = attachment(parameters)?;
    let depot = &call.state.depot;
    depot.may_make(call.asked.address)?;
    sent.set_aside(call, text.len().saturating_mul(GROWTH))?;
    if let Some(bytes) = attachment {
        let file = seal_attachment(call, &sent.parameters, bytes, &word).await?;
        files.push(file);
    }
    if files.len() > 1 {
        return Err(Fault::invalid(Name::Attachment.text(), "a letter takes one file"));
    }
    let file = files.first().map(|file| file.stored);
    let (letter, link_hash) = seal(call, text, word.clone(), file).await?;
    let letter = depot.leave_letter(letter).await?;
    let link = link(&base, letter.id, &word, &link_hash);
    hand_over(call, &letter, to, &link, &word).await
}

/// The bytes of `attachment`, in base64 with or without blanks in it.
fn attachment(parameters: &Parameters) -> Result<Option<Bytes>, Fault> {
    let Some(text) = parameters.text(Name::Attachment) else { return Ok(None) };
    let letters: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let bytes = BASE64.decode(&*letters);
    let broken = |_| Fault::invalid(Name::Attachment.text(), "is not base64");
    Ok(Some(bytes.map_err(broken)?.into()))
}

async fn seal_attachment(
    call: &Call,
    parameters: &Parameters,
    bytes: Bytes,
    word: &Zeroizing<String>,
) -> Result<SentFile, Fault> {
    let pass = word.clone();
    let key = call.one.compute(move || PassKey::derive(&pass)).await?;
    let name = parameters.text(Name::AttachedAs).unwrap_or(NAMELESS);
    let pieces = stream::iter([Ok(bytes)]);
    let stored = files::receive(call, &key, name, pieces).await?;
    Ok(SentFile { pass: word.clone(), stored })
}

/// The letter as it is kept, and what its link says of its text. That is kept nowhere here: a short
/// text could be guessed from it.
async fn seal(
    call: &Call,
    text: Zeroizing<String>,
    word: Zeroizing<String>,
    file: Option<StoredFile>,
) -> Result<(NewLetter, String), Fault> {
    let secret = SecretDigest::of(word.as_bytes());
    let sealed = call.one.compute(move || seal_letter(&text, &word)).await?;
    let SealedLetter { form, data, hash } = sealed;
    let (form, data) = (form_of(form), data.into_bytes());
    let version = Version::One;
    Ok((NewLetter { version, secret, form, data, file, life: None }, hash))
}

/// What links begin with.
///
/// A caller may say anything about where a request went. That is why such a link goes to the caller
/// alone: mail has links to the configured address, or none is sent.
fn base(call: &Call, uri: &axum::http::Uri, headers: &HeaderMap) -> Option<String> {
    let public_url = call.state.settings.public_url.clone();
    Addresses { public_url }.base(uri, headers)
}

fn link(base: &str, id: DropId, word: &str, hash: &str) -> Zeroizing<String> {
    // Letters and digits, all three of them.
    Zeroizing::new(format!(
        "{base}/selfdestruct/read/?messageId={id}&passphrase={word}&hash={hash}"
    ))
}

async fn hand_over(
    call: &Call,
    letter: &Letter,
    to: EmailAddress,
    link: &str,
    word: &str,
) -> Result<Response, Fault> {
    let depot = &call.state.depot;
    let is_mailed = depot.notices().are_sent() && call.state.settings.public_url.is_some();
    if !is_mailed {
        return Ok(answer::text(StatusCode::OK, link, call.format));
    }
    let text = Zeroizing::new(format!(
        "Hello,\n\nSomebody left a message for you that can be read once. This link leads to it; the \
         message is erased when you choose to read it there, not before:\n\n{}\n\nIt is erased \
         unread on {}.\n",
        link, letter.ends_at
    ));
    if let Err(fault) = depot.notices().letter(to, call.asked.address, text) {
        // Nobody will ever know where it is.
        let (id, from) = (letter.id, call.asked.address);
        drop(depot.take_letter(Version::One, id, word.as_bytes(), from).await);
        return Err(fault);
    }
    Ok(answer::done(call.format))
}

/// The page of a letter's link, with a button that destroys it.
///
/// # Errors
/// [`Fault::RateLimited`].
pub(super) async fn show(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let text = |name| sent.parameters.text(name).unwrap_or_default().trim();
    let (id, passphrase) = (text(Name::MessageId), text(Name::Passphrase));
    if DropId::parse(id).is_none() || passphrase.is_empty() {
        return Ok(letter_page::trouble(StatusCode::NOT_FOUND, letter_page::INCOMPLETE));
    }
    Ok(letter_page::question(&Hidden { id, passphrase, hash: text(Name::Hash) }))
}

/// Destroys a letter and shows it.
///
/// # Errors
/// Never by itself: whatever goes wrong is a page.
pub(super) async fn take(call: &Call, request: Request) -> Result<Response, Fault> {
    match taken(call, request).await {
        Ok(response) => Ok(response),
        // What is ours belongs into the log.
        Err(fault) if fault.is_ours() => Err(fault),
        Err(Fault::NotFound { .. }) => {
            Ok(letter_page::trouble(StatusCode::NOT_FOUND, letter_page::UNKNOWN))
        }
        Err(fault) => Ok(letter_page::trouble(status(&fault), &words(&fault))),
    }
}

async fn taken(call: &Call, request: Request) -> Result<Response, Fault> {
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    let id = sent.parameters.required(Name::MessageId)?.trim().to_ascii_lowercase();
    let word = sent.parameters.required(Name::Passphrase)?.trim();
    let word = Zeroizing::new(word.to_owned());
    let id = DropId::parse(&id).ok_or(Fault::NotFound { what: "letter" })?;
    let depot = &call.state.depot;
    let from = call.asked.address;
    let letter = depot.take_letter(Version::One, id, word.as_bytes(), from).await?;
    let file = letter.file;
    let text = open(call, letter, word.clone()).await?;
    let attachment = match file {
        Some(file) => Some(offer(call, file, word).await?),
        None => None,
    };
    let promised = sent.parameters.text(Name::Hash).map(str::trim);
    let is_other = promised.is_some_and(|promised| !promised.eq_ignore_ascii_case(&hash(&text)));
    Ok(letter_page::letter(&Shown { text: &text, attachment: attachment.as_ref(), is_other }))
}

async fn open(
    call: &Call,
    letter: Letter,
    word: Zeroizing<String>,
) -> Result<Zeroizing<String>, Fault> {
    let most = usize::try_from(call.state.settings.body_limit).unwrap_or(usize::MAX);
    let open = move || {
        let form = if letter.form == Form::Utf8 { TextForm::Utf8 } else { TextForm::Latin };
        let data = str::from_utf8(&letter.data).unwrap_or_default();
        open_letter(data, form, &word, most)
    };
    let opened = call.one.compute(open).await?;
    opened.map_err(|error| Fault::internal("decrypting a letter", error))
}

/// The name of a letter's file, and its ticket.
async fn offer(
    call: &Call,
    file: StoredFile,
    word: Zeroizing<String>,
) -> Result<(String, String), Fault> {
    let depot = &call.state.depot;
    let pass = word.clone();
    let key = call.one.compute(move || PassKey::derive(&pass)).await?;
    let name = files::name(&call.one, depot, file, &key).await?;
    let ticket = call.one.0.tickets.seal(&Ticket { file, pass: word }, depot)?;
    Ok((name, ticket))
}
