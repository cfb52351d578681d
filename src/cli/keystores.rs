//! Keys for new sessions. They are made here and go into the keystore; the gateway sees the public
//! half alone.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::CommandError;
use super::new_file::NewFile;
use super::output::Output;
use crate::admin::types::{AddedSession, CreatedAccount, NewSession};
use crate::app::entropy::{EntropyRng, SystemEntropy};
use crate::sdk::ids::{SessionId, UserId};
use crate::sdk::keys::{SigningKey, VerifyingKey};
use crate::sdk::keystore::{Keystore, KeystoreError};

/// A session that does not exist yet: its key and what it is.
#[derive(Debug)]
pub(super) struct Draft {
    key: SigningKey,
    platform: String,
}

impl Draft {
    /// A new key.
    pub(super) fn new(platform: &str) -> Result<Self, CommandError> {
        let entropy = SystemEntropy::new()?;
        let key = SigningKey::generate(&mut EntropyRng(&entropy));
        Ok(Self { key, platform: platform.to_owned() })
    }

    /// What the gateway is told.
    pub(super) fn request(&self, replaces: Option<SessionId>) -> NewSession {
        let public_key = self.key.verifying_key().to_base64();
        NewSession { public_key, platform: self.platform.clone(), replaces }
    }

    /// The keystore, once the gateway has given the session its id.
    pub(super) fn finish(
        self,
        session: &AddedSession,
        base_url: &str,
    ) -> Result<Keystore, CommandError> {
        let server_key = VerifyingKey::from_hex(&session.server_public_key);
        let server_key = server_key.map_err(|_| CommandError::Answer)?;
        Ok(Keystore {
            user_id: session.user_id,
            session_id: session.session_id,
            server_public_key: Some(server_key),
            session_private_key: self.key,
            base_url: Some(base_url.to_owned()),
        })
    }
}

/// The keystores of a new account, in the order of the drafts.
pub(super) fn finish_all(
    drafts: Vec<Draft>,
    created: &CreatedAccount,
    base_url: &str,
) -> Result<Vec<Keystore>, CommandError> {
    if drafts.len() != created.sessions.len() {
        return Err(CommandError::Answer);
    }
    let sessions = created.sessions.iter().map(|session| AddedSession {
        user_id: created.user_id,
        session_id: session.session_id,
        platform: session.platform.clone(),
        server_public_key: created.server_public_key.clone(),
    });
    drafts
        .into_iter()
        .zip(sessions)
        .map(|(draft, session)| draft.finish(&session, base_url))
        .collect()
}

/// What was made, for programs; its keystores are in it or in files.
#[derive(Serialize)]
pub(super) struct Made<'a> {
    user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keystores: Option<Vec<&'a RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<PathBuf>>,
}

impl<'a> Made<'a> {
    /// Sessions of this account; a new one has an identity number to tell.
    pub(super) fn of(user_id: UserId, identity_number: Option<&'a str>) -> Self {
        Self {
            user_id,
            identity_number,
            session_id: None,
            keystore: None,
            keystores: None,
            file: None,
            files: None,
        }
    }

    /// Writes one keystore into its file, or to standard output when there is none.
    pub(super) fn deliver(
        self,
        keystore: &Keystore,
        file: Option<NewFile>,
        remark: &str,
        out: Output,
    ) -> Result<(), CommandError> {
        let json = keystore.to_json()?;
        let session_id = Some(keystore.session_id);
        let Some(file) = file else {
            let line = compact(&json);
            let keystore = Some(raw(&line)?);
            out.print(&json, &Made { session_id, keystore, ..self })?;
            out.about(remark);
            return Ok(());
        };
        let path = file.path().to_owned();
        file.write(&json)?;
        out.done(remark, &Made { session_id, file: Some(&path), ..self })
    }

    /// Writes keystores into their files, or to standard output when there are none.
    pub(super) fn deliver_all(
        self,
        keystores: &[Keystore],
        files: Option<Vec<NewFile>>,
        remark: &str,
        out: Output,
    ) -> Result<(), CommandError> {
        let Some(files) = files else {
            let texts = keystores.iter().map(Keystore::to_json).collect::<Result<Vec<_>, _>>()?;
            let lines: Vec<_> = texts.iter().map(|text| compact(text)).collect();
            let raws = lines.iter().map(|line| raw(line)).collect::<Result<_, _>>()?;
            out.print(&array(&texts), &Made { keystores: Some(raws), ..self })?;
            out.about(remark);
            return Ok(());
        };
        let paths = files.iter().map(|file| file.path().to_owned()).collect();
        for (file, keystore) in files.into_iter().zip(keystores) {
            file.write(&keystore.to_json()?)?;
        }
        out.done(remark, &Made { files: Some(paths), ..self })
    }
}

fn array(keystores: &[Zeroizing<String>]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::from("[\n"));
    for (place, keystore) in keystores.iter().enumerate() {
        if place > 0 {
            text.push_str(",\n");
        }
        text.push_str(keystore.trim_end());
    }
    text.push_str("\n]");
    text
}

/// The same JSON on one line: no text in a keystore has a line break in it, JSON writes `\n` for one.
fn compact(json: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(json.len()));
    json.lines().for_each(|part| line.push_str(part.trim()));
    line
}

/// JSON that is passed on as it is, without a copy.
fn raw(json: &str) -> Result<&RawValue, CommandError> {
    serde_json::from_str(json).map_err(|error| KeystoreError::from(error).into())
}
