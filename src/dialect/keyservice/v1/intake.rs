//! A request of version 1, read: its parameters, and its files, which are sealed and on disk by
//! then, under passes that no box knows yet.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::stream;
use zeroize::Zeroizing;

use super::crypto::{FillRng, PassKey, new_pass};
use super::inflow::{Inflow, too_large};
use super::multipart::{Multipart, boundary};
use super::names::Name;
use super::parameters::{Parameters, Place};
use super::{Call, files, members};
use crate::domain::dropbox::{Depot, StoredFile};
use crate::domain::error::Fault;
use crate::http::body;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;

/// Files of one request.
const FILES: usize = 32;

/// Bytes that are set aside for the parameters of a form with files, before it is known how many
/// there are.
const FIRST_ROOM: u64 = 16 * 1024;

/// What a request may bring beside parameters.
pub(super) enum Takes {
    /// Nothing.
    Parameters,
    /// Files for a box, each under a pass of its own.
    Files,
    /// A file for a letter, under the letter's word.
    LetterFile(Zeroizing<String>),
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
    begin_work(&parts);
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

fn begin_work(parts: &Parts) {
    Course::begin_work_of(&parts.extensions);
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
            "" | "application/x-www-form-urlencoded" => Ok(Self::Form),
            "application/json" | "text/json" => Ok(Self::Json),
            "multipart/form-data" => boundary(given)
                .map(Self::Multipart)
                .ok_or_else(|| Fault::malformed("the multipart body has no boundary")),
            // What a page sends with `fetch` and without a word about it, or nothing at all.
            "text/plain" => Ok(Self::Form),
            _ => Err(Fault::malformed(
                "the body has to be a form, a JSON object or multipart/form-data",
            )),
        }
    }
}

/// Reads a body that is in memory as a whole.
async fn read_whole(call: &Call, body: Body) -> Result<(Bytes, BodyRoom), Fault> {
    let (gate, visitor) = (&call.state.gate, call.visitor());
    let limit = call.state.settings.body_limit;
    let announced = body.size_hint().lower();
    if announced <= limit {
        gate.bytes(&visitor, announced)?;
    }
    // What does not say its size may have any.
    let most = body.size_hint().exact().unwrap_or(limit).min(limit);
    let room = gate.growing_body_room(&visitor, most)?;
    let bytes = body::read(body, limit).await?;
    gate.bytes(&visitor, (bytes.len() as u64).saturating_sub(announced))?;
    Ok((bytes, room))
}

async fn read_form(call: &Call, mut parameters: Parameters, body: Body) -> Result<Sent, Fault> {
    let (bytes, room) = read_whole(call, body).await?;
    parameters.add_form(Place::Body, &bytes)?;
    Ok(Sent { parameters, files: Vec::new(), room })
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
    let _place = transfers.upload_place(call.asked.address)?;
    let texts = call.state.settings.body_limit;
    let limit = call.state.depot.policy().file_bytes.saturating_add(texts);
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
                Some(file_name) => self.file(&file_name, parameters).await?,
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

    async fn file(&mut self, file_name: &str, parameters: &Parameters) -> Result<(), Fault> {
        // A browser's form has an empty part for a file that nobody chose.
        let first = self.multipart.next_piece().await?;
        if file_name.is_empty() && first.is_none() {
            return Ok(());
        }
        let pass = self.pass()?;
        require_box(self.call, self.takes, parameters).await?;
        let one = &self.call.one;
        let key = {
            let pass = pass.clone();
            one.compute(move || PassKey::derive(&pass)).await?
        };
        let multipart = &mut self.multipart;
        let rest = stream::try_unfold(multipart, |multipart| async move {
            let piece = multipart.next_piece().await?;
            Ok(piece.map(|piece| (piece, multipart)))
        });
        let first = stream::iter(first.map(Ok));
        let pieces = futures_util::StreamExt::chain(first, rest);
        let stored = files::receive(self.call, &key, file_name, pieces).await?;
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

/// Refuses files for a box that there is not or that takes none, if the request has said by now for
/// which one they are: what stands behind a file says it too late for that.
async fn require_box(call: &Call, takes: &Takes, parameters: &Parameters) -> Result<(), Fault> {
    if matches!(takes, Takes::Files) && parameters.text(Name::Token).is_some() {
        let depot = &call.state.depot;
        depot.require_open(&depot.drop_box(&parameters.token()?).await?)?;
    }
    Ok(())
}
