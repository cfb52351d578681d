//! A request of version 1, read: its parameters, and its files, which are sealed and on disk by
//! then, under passes that no box knows yet.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use zeroize::Zeroizing;

use super::crypto::{FillRng, PassKey, new_pass};
use super::inflow::{Inflow, too_large};
use super::multipart::{Multipart, boundary};
use super::names::Name;
use super::parameters::{Parameters, Place};
use super::{Call, files, members};
use crate::domain::dropbox::{BoxToken, Depot, DropBox, StoredFile};
use crate::domain::error::Fault;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;

/// Files of one request.
const FILES: usize = 32;

/// Bytes that are set aside for the parameters of a form with files, before it is known how many
/// there are.
const FIRST_ROOM: u64 = 16 * 1024;

/// What a text grows to on its way, at most: as characters, as UTF-16, encrypted, as base64.
pub(super) const GROWTH: usize = 4;

/// What a request may bring beside parameters.
pub(super) enum Takes {
    /// Nothing.
    Parameters,
    /// Files for a box, each under a pass of its own.
    Files,
    /// A file for a letter, under the letter's word.
    LetterFile(Zeroizing<String>),
}

impl Takes {
    /// Bytes of the largest file as it is kept; 0 when there may be none. Whoever leaves a letter
    /// knows nobody here, so its file may be about as large as its text.
    pub(super) fn file_bytes(&self, call: &Call) -> u64 {
        let policy = call.state.depot.policy();
        match self {
            Self::Parameters => 0,
            Self::Files => policy.file_bytes,
            Self::LetterFile(_) => policy.file_bytes.min(policy.message_bytes.saturating_mul(3)),
        }
    }
}

/// What a request said.
pub(super) struct Sent {
    /// Its parameters.
    pub(super) parameters: Parameters,
    /// Its files, in order.
    pub(super) files: Vec<SentFile>,
    room: BodyRoom,
}

/// A file that is kept until its request is over.
pub(super) struct SentFile {
    /// What it is sealed with.
    pub(super) pass: Zeroizing<String>,
    /// Where it is.
    pub(super) stored: StoredFile,
}

impl Sent {
    /// Sets memory aside for what becomes of so many bytes of the body.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when too much is on its way at this moment.
    pub(super) fn set_aside(&mut self, call: &Call, bytes: usize) -> Result<(), Fault> {
        call.state.gate.grow(&mut self.room, bytes as u64)
    }
}

/// Reads a request; from then on it is brought to its end.
///
/// # Errors
/// [`Fault::RateLimited`] for too many bytes, [`Fault::TooLarge`], [`Fault::Malformed`] and
/// [`Fault::Invalid`] for what cannot be read, [`Fault::NotFound`] when files come for a box that
/// there is not.
pub(super) async fn read(call: &Call, request: Request, takes: &Takes) -> Result<Sent, Fault> {
    let (parts, body) = request.into_parts();
    let parameters = Parameters::outside(&parts)?;
    let sent = match Kind::of(&parts.headers, &body)? {
        Kind::Form => read_form(call, parameters, body).await?,
        Kind::Json => read_json(call, parameters, body).await?,
        Kind::Multipart(boundary) => {
            read_multipart(call, parameters, body, &boundary, takes).await?
        }
    };
    Course::begin_work_of(&parts.extensions);
    match sent.parameters.require_version() {
        Ok(()) => Ok(sent),
        Err(fault) => {
            abandon(&call.state.depot, sent.files).await;
            Err(fault)
        }
    }
}

/// Lets go of files that no message keeps. What cannot be let go now goes by itself after a while.
pub(super) async fn abandon(depot: &Arc<Depot>, files: Vec<SentFile>) {
    for file in files {
        drop(depot.abandon(file.stored).await);
    }
}

/// What a body is.
enum Kind {
    Form,
    Json,
    Multipart(String),
}

impl Kind {
    /// What the headers say. A body that does not say what it is is a form; one without anything in
    /// it may say what it likes.
    fn of(headers: &HeaderMap, body: &Body) -> Result<Self, Fault> {
        if body.size_hint().exact() == Some(0) {
            return Ok(Self::Form);
        }
        let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let given = given.unwrap_or_default();
        let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            // A page that sends with `fetch` says `text/plain` unless it says more.
            "" | "application/x-www-form-urlencoded" | "text/plain" => Ok(Self::Form),
            "application/json" | "text/json" => Ok(Self::Json),
            "multipart/form-data" => boundary(given)
                .map(Self::Multipart)
                .ok_or_else(|| Fault::malformed("the multipart body has no boundary")),
            _ => Err(Fault::malformed(
                "the body has to be a form, a JSON object or multipart/form-data",
            )),
        }
    }
}

/// Reads a body that is in memory as a whole.
async fn read_whole(call: &Call, body: Body) -> Result<(Zeroizing<Vec<u8>>, BodyRoom), Fault> {
    let (gate, visitor) = (&call.state.gate, call.visitor());
    let limit = call.state.settings.body_limit;
    let announced = body.size_hint().lower();
    if announced <= limit {
        gate.bytes(&visitor, announced)?;
    }
    // What does not say its size may have any.
    let most = body.size_hint().exact().unwrap_or(limit).min(limit);
    let room = gate.growing_body_room(&visitor, most)?;
    let bytes = Inflow::new(body, limit, call.state.transfers.stall()).whole().await?;
    gate.bytes(&visitor, (bytes.len() as u64).saturating_sub(announced))?;
    Ok((bytes, room))
}

async fn read_form(call: &Call, mut parameters: Parameters, body: Body) -> Result<Sent, Fault> {
    let (bytes, room) = read_whole(call, body).await?;
    if is_json(&bytes) {
        // As a form it would be one member with a name that means nothing, and the request would be
        // taken for another one.
        let what = "the body looks like JSON; send it with Content-Type: application/json";
        return Err(Fault::malformed(what));
    }
    parameters.add_form(Place::Body, &bytes)?;
    Ok(Sent { parameters, files: Vec::new(), room })
}

/// Whether a body begins as JSON's objects and lists do.
fn is_json(body: &[u8]) -> bool {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

async fn read_json(call: &Call, mut parameters: Parameters, body: Body) -> Result<Sent, Fault> {
    let (bytes, room) = read_whole(call, body).await?;
    // Programs name the type even when they send nothing.
    if !bytes.is_empty() {
        members::add_json(&mut parameters, &bytes)?;
    }
    Ok(Sent { parameters, files: Vec::new(), room })
}

async fn read_multipart(
    call: &Call,
    mut parameters: Parameters,
    body: Body,
    boundary: &str,
    takes: &Takes,
) -> Result<Sent, Fault> {
    let transfers = &call.state.transfers;
    let files = takes.file_bytes(call);
    let _place = (files > 0).then(|| transfers.upload_place(call.asked.address)).transpose()?;
    let limit = files::plain_bytes(files).saturating_add(call.state.settings.body_limit);
    let announced = body.size_hint().lower();
    if announced > limit {
        return Err(too_large(announced, limit));
    }
    let room = call.state.gate.growing_body_room(&call.visitor(), FIRST_ROOM)?;
    let multipart = Multipart::new(Inflow::new(body, limit, transfers.stall()), boundary);
    let mut reading = Reading { call, multipart, takes, room, texts: 0, files: Vec::new() };
    match reading.all(&mut parameters).await {
        Ok(()) => Ok(Sent { parameters, files: reading.files, room: reading.room }),
        Err(fault) => {
            abandon(&call.state.depot, reading.files).await;
            Err(fault)
        }
    }
}

/// A body in parts that is being read.
struct Reading<'of> {
    call: &'of Call,
    multipart: Multipart,
    takes: &'of Takes,
    room: BodyRoom,
    /// Bytes of what is no file.
    texts: u64,
    files: Vec<SentFile>,
}

impl Reading<'_> {
    async fn all(&mut self, parameters: &mut Parameters) -> Result<(), Fault> {
        while let Some(part) = self.multipart.next_part().await? {
            match part.file_name {
                Some(file_name) => self.file(&part.name, &file_name, parameters).await?,
                None => {
                    let text = self.text().await?;
                    parameters.add(Place::Body, &part.name, Some(text))?;
                }
            }
        }
        Ok(())
    }

    async fn text(&mut self) -> Result<Zeroizing<String>, Fault> {
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(piece) = self.multipart.next_piece().await? {
            let (length, limit) = (piece.len() as u64, self.call.state.settings.body_limit);
            self.texts = self.texts.saturating_add(length);
            if self.texts > limit {
                return Err(too_large(self.texts, limit));
            }
            self.call.state.gate.bytes(&self.call.visitor(), length)?;
            self.call.state.gate.grow(&mut self.room, self.texts)?;
            bytes.extend_from_slice(&piece);
        }
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|_| Fault::malformed("a parameter is not UTF-8"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    async fn file(
        &mut self,
        name: &str,
        file_name: &str,
        parameters: &mut Parameters,
    ) -> Result<(), Fault> {
        // A browser's form has an empty part for a file that nobody chose. It is there all the same.
        let first = self.multipart.next_piece().await?;
        if file_name.is_empty() && first.is_none() {
            return parameters.add(Place::Body, name, None);
        }
        let pass = self.pass()?;
        let call = self.call;
        require_recipient(call, self.takes, parameters).await?;
        let key = {
            let pass = pass.clone();
            call.compute(move || PassKey::derive(&pass)).await?
        };
        let multipart = &mut self.multipart;
        let rest = stream::try_unfold(multipart, |multipart| async move {
            let piece = multipart.next_piece().await?;
            Ok(piece.map(|piece| (piece, multipart)))
        });
        let pieces = stream::iter(first.map(Ok)).chain(rest).map(|piece: Result<Bytes, Fault>| {
            let piece = piece?;
            call.state.gate.bytes(&call.visitor(), piece.len() as u64)?;
            Ok(piece)
        });
        let most = self.takes.file_bytes(call);
        let stored = files::receive(call, &key, file_name, pieces, most).await?;
        self.files.push(SentFile { pass, stored });
        Ok(())
    }

    /// What the next file is sealed with.
    fn pass(&self) -> Result<Zeroizing<String>, Fault> {
        let most = match self.takes {
            Takes::Parameters => {
                return Err(Fault::malformed("files can be sent to a key or with a letter alone"));
            }
            Takes::Files => FILES,
            Takes::LetterFile(_) => 1,
        };
        if self.files.len() >= most {
            let what = "the number of files";
            let (actual, limit) = (most as u64 + 1, most as u64);
            return Err(Fault::TooLarge { what, actual, limit });
        }
        Ok(match self.takes {
            Takes::LetterFile(word) => word.clone(),
            _ => {
                let entropy = &self.call.state.depot.gateway().entropy;
                new_pass(&mut FillRng::new(&|bytes| entropy.fill(bytes)))
            }
        })
    }
}

/// Refuses files that nobody will take: for a box that there is not or that takes none, if the
/// request has said by now for which one they are (what stands behind a file says it too late for
/// that); with a letter, when there were too many letters. A letter with a file is counted here.
async fn require_recipient(
    call: &Call,
    takes: &Takes,
    parameters: &Parameters,
) -> Result<(), Fault> {
    let depot = &call.state.depot;
    match takes {
        Takes::Files if parameters.text(Name::Token).is_some() => {
            depot.require_open(&recipient(depot, &parameters.token()?).await?)
        }
        Takes::LetterFile(_) => depot.may_make(call.asked.address),
        _ => Ok(()),
    }
}

/// The box that somebody sends to, who shows no secret.
///
/// # Errors
/// [`Fault::NotFound`] when there is none.
pub(super) async fn recipient(depot: &Depot, token: &BoxToken) -> Result<DropBox, Fault> {
    depot.drop_box(token).await.map_err(|fault| match fault {
        Fault::NotFound { .. } => Fault::NotFound { what: "key with this token" },
        fault => fault,
    })
}
