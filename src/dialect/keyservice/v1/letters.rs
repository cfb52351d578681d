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
use bytes::Bytes;
use futures_util::stream;
use zeroize::Zeroizing;

use super::answer::{self, say_when, status, words};
use super::computing::{Place, Turns};
use super::crypto::{
    FillRng, PassKey, SealedLetter, decode_base64, hash, open_letter, seal_letter,
    self_destruct_word,
};
use super::intake::{self, Sent, SentFile, Takes};
use super::letter_page::{self, Attached, Hidden, Shown};
use super::listing::text_form;
use super::names::Name;
use super::parameters::Parameters;
use super::sending::form_of;
use super::tickets::Ticket;
use super::{Call, files};
use crate::domain::dropbox::depot::NewLetter;
use crate::domain::dropbox::tries::Lock;
use crate::domain::dropbox::{DropId, EmailAddress, Letter, SecretDigest, StoredFile, Version};
use crate::domain::error::Fault;
use crate::http::blobs::Addresses;
use crate::http::leftovers::log_late;

/// What was not found where there is no such letter.
const LETTER: &str = "letter";

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
    // After a fault of ours nobody knows whether the letter keeps them. They go by themselves.
    if left.as_ref().is_err_and(|fault| !fault.is_ours()) {
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
    if files.is_empty() {
        // Otherwise it was counted before the file came.
        depot.may_make(call.asked.address)?;
    }
    let attached = attachment.as_ref().map_or(0, Bytes::len);
    sent.set_aside(call, text.len().saturating_mul(intake::GROWTH).saturating_add(attached))?;
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
    let bytes = decode_base64(text);
    let bytes = bytes.ok_or_else(|| Fault::invalid(Name::Attachment.text(), "is not base64"))?;
    Ok(Some(Bytes::from_owner(bytes)))
}

async fn seal_attachment(
    call: &Call,
    parameters: &Parameters,
    bytes: Bytes,
    word: &Zeroizing<String>,
) -> Result<SentFile, Fault> {
    let pass = word.clone();
    let key = call.compute(move || PassKey::derive(&pass)).await?;
    let name = parameters.text(Name::AttachedAs).unwrap_or(NAMELESS);
    let pieces = stream::iter([Ok(bytes)]);
    let most = Takes::LetterFile(word.clone()).file_bytes(call);
    let stored = files::receive(call, &key, name, pieces, most).await?;
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
    let sealed = call.compute(move || seal_letter(&text, &word)).await?;
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
    let (id, passphrase) = (letter_id(&sent.parameters), text(Name::Passphrase));
    let Some(id) = id.filter(|_| !passphrase.is_empty()) else {
        return Ok(letter_page::trouble(StatusCode::NOT_FOUND, letter_page::INCOMPLETE));
    };
    Ok(letter_page::question(&Hidden { id: &id.to_string(), passphrase, hash: text(Name::Hash) }))
}

/// The letter that a request is about, if that can be one.
fn letter_id(parameters: &Parameters) -> Option<DropId> {
    DropId::parse(&parameters.text(Name::MessageId)?.trim().to_ascii_lowercase())
}

/// What went wrong with a letter, for the person who reads it. It is logged nowhere here.
pub(in super::super) fn fault_page(fault: &Fault) -> Response {
    if let Fault::NotFound { what: LETTER } = fault {
        return letter_page::trouble(StatusCode::NOT_FOUND, letter_page::UNKNOWN);
    }
    let mut page = letter_page::trouble(status(fault), &words(fault));
    say_when(fault, &mut page);
    page
}

/// Destroys a letter and shows it.
///
/// # Errors
/// Whatever is refused, and what goes wrong before the letter is taken; [`fault_page`] shows it.
pub(super) async fn take(call: &Call, request: Request) -> Result<Response, Fault> {
    let path = request.uri().path();
    // Relative, since a proxy may have put something in front of it.
    let links = if path.ends_with('/') { "../" } else { "" };
    let sent = intake::read(call, request, &Takes::Parameters).await?;
    sent.parameters.required(Name::MessageId)?;
    let word = sent.parameters.required(Name::Passphrase)?.trim();
    let word = Zeroizing::new(word.to_owned());
    let id = letter_id(&sent.parameters).ok_or(Fault::NotFound { what: LETTER })?;
    let (depot, from) = (&call.state.depot, call.asked.address);
    depot.may_try(Lock::Letter(id), from)?;
    // Whoever has taken the letter has no time to wait for a place.
    let place = call.one.0.computing.place(from).await?;
    let letter = depot.take_letter(Version::One, id, word.as_bytes(), from).await?;
    let file = letter.file;
    let text = open(call, &place, letter, word.clone()).await;
    let attachment = match file {
        Some(file) => Some(offer(call, place, file, word, links).await),
        None => None,
    };
    let promised = sent.parameters.text(Name::Hash).map(str::trim).zip(text.as_ref());
    let is_other =
        promised.is_some_and(|(promised, text)| !promised.eq_ignore_ascii_case(&hash(text)));
    let text = text.as_ref().map(|text| text.as_str());
    Ok(letter_page::letter(&Shown { text, attachment: attachment.as_ref(), is_other }))
}

/// A letter's text, unless it cannot be decrypted.
async fn open(
    call: &Call,
    place: &Place,
    letter: Letter,
    word: Zeroizing<String>,
) -> Option<Zeroizing<String>> {
    let most = usize::try_from(call.state.settings.body_limit).unwrap_or(usize::MAX);
    let open = move || {
        let data = str::from_utf8(&letter.data).unwrap_or_default();
        open_letter(data, text_form(letter.form), &word, most)
    };
    let opened = place.compute(open).await;
    let opened = opened
        .and_then(|opened| opened.map_err(|error| Fault::internal("decrypting a letter", error)));
    opened.inspect_err(log_late).ok()
}

/// A letter's file. Trouble with a disk is no reason to say that it is lost.
async fn offer(
    call: &Call,
    place: Place,
    file: StoredFile,
    word: Zeroizing<String>,
    links: &str,
) -> Attached {
    let depot = &call.state.depot;
    let pass = word.clone();
    let name = match place.compute(move || PassKey::derive(&pass)).await {
        Ok(key) => files::name(&Turns::At(place), depot, file, &key).await,
        Err(fault) => Err(fault),
    };
    let name = match name {
        Ok(name) => name,
        Err(Fault::NotFound { .. }) => return Attached::Lost,
        Err(_) => NAMELESS.to_owned(),
    };
    match call.one.0.tickets.seal(&Ticket { file, pass: word }, depot) {
        Ok(ticket) => {
            Attached::Here { name, link: format!("{links}GetAttachment?fileId={ticket}") }
        }
        Err(_) => Attached::Lost,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn what_goes_wrong_with_a_letter_is_a_page() {
        let full = Fault::unavailable("full", None);
        let broken = Fault::internal("reading a letter", "a column is missing");
        for (fault, status) in [(full, 503), (broken, 500), (Fault::NotFound { what: LETTER }, 404)]
        {
            let page = fault_page(&fault);
            assert_eq!(page.status().as_u16(), status);
            assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(page.headers().contains_key(header::RETRY_AFTER), status == 503);
        }
    }
}
