//! `PUT /Service` and `/Service/SendMessage`: a text, a text that its sender encrypted, and files,
//! all of them or none.

use axum::extract::Request;
use axum::response::Response;
use zeroize::Zeroizing;

use super::crypto::{FillRng, PublicKey, SealError, TextForm, seal_pass, seal_text};
use super::intake::{self, SentFile, Takes};
use super::names::Name;
use super::parameters::Parameters;
use super::{Call, answer};
use crate::domain::dropbox::depot::Drop as Dropped;
use crate::domain::dropbox::{DropBox, Form};
use crate::domain::error::Fault;
use crate::domain::ports::Entropy;

/// Leaves messages in a box.
///
/// # Errors
/// [`Fault::Malformed`] when there is nothing to send, [`Fault::NotFound`] for an unknown token;
/// those of [`Depot::put`](crate::domain::dropbox::Depot::put).
pub(super) async fn send(call: &Call, request: Request) -> Result<Response, Fault> {
    let mut sent = intake::read(call, request, &Takes::Files).await?;
    let texts = Texts::of(&sent.parameters);
    let files = std::mem::take(&mut sent.files);
    let kept = match sent.set_aside(call, texts.bytes().saturating_mul(intake::GROWTH)) {
        Ok(()) => leave(call, &sent.parameters, texts, &files).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = kept {
        // After a fault of ours nobody knows whether a message keeps them. They go by themselves.
        if !fault.is_ours() {
            intake::abandon(&call.state.depot, files).await;
        }
        return Err(fault);
    }
    Ok(answer::done(call.format))
}

/// What is no file.
struct Texts {
    /// For the gateway to encrypt.
    plain: Vec<Zeroizing<String>>,
    /// With the encrypted key that its sender made.
    sealed: Option<(String, String)>,
}

impl Texts {
    fn of(parameters: &Parameters) -> Self {
        let text = |name| parameters.text(name).map(str::to_owned);
        let mut plain: Vec<_> = text(Name::Message).map(Zeroizing::new).into_iter().collect();
        let mut sealed = None;
        match (text(Name::EncryptedMessage), text(Name::EncryptionKey)) {
            (Some(message), Some(key)) => sealed = Some((message, key)),
            // The original encrypts it as if it were a text, but does not compress it, and nobody
            // can read the box any more.
            (Some(message), None) => plain.push(Zeroizing::new(message)),
            (None, _) => {}
        }
        Self { plain, sealed }
    }

    fn bytes(&self) -> usize {
        let sealed = self.sealed.as_ref().map_or(0, |(message, _)| message.len());
        self.plain.iter().map(|text| text.len()).sum::<usize>().saturating_add(sealed)
    }

    fn are_none(&self) -> bool {
        self.plain.is_empty() && self.sealed.is_none()
    }
}

async fn leave(
    call: &Call,
    parameters: &Parameters,
    texts: Texts,
    files: &[SentFile],
) -> Result<(), Fault> {
    if texts.are_none() && files.is_empty() {
        return Err(Fault::malformed("message, encryptedmessage or a file is required"));
    }
    let depot = &call.state.depot;
    let to = intake::recipient(depot, &parameters.token()?).await?;
    let drops = sealed(call, &to, texts, files).await?;
    depot.put(&to, call.asked.address, drops).await?;
    Ok(())
}

/// Everything as it is left in the box: files first, then texts, as the original has it.
async fn sealed(
    call: &Call,
    to: &DropBox,
    texts: Texts,
    files: &[SentFile],
) -> Result<Vec<Dropped>, Fault> {
    let key = to.content.public_key.clone();
    let passes: Vec<_> = files.iter().map(|file| (file.pass.clone(), file.stored)).collect();
    let entropy = call.state.depot.gateway().entropy.clone();
    let work = move || {
        let key = str::from_utf8(&key).ok().and_then(|key| PublicKey::parse(key).ok());
        let key = key.ok_or_else(|| Fault::internal("reading a public key", "it is none"))?;
        let mut drops = Vec::new();
        for (pass, stored) in passes {
            let fill = |bytes: &mut [u8]| entropy.fill(bytes);
            let sealed = seal_pass(&pass, &key, &mut FillRng::new(&fill)).map_err(unsealed)?;
            let encryption_key = sealed.into_bytes();
            drops.push(Dropped { file: Some(stored), encryption_key, ..nothing(Form::File) });
        }
        for text in texts.plain {
            drops.push(sealed_text(&text, &key, &*entropy)?);
        }
        if let Some((message, key)) = texts.sealed {
            let (data, encryption_key) = (message.into_bytes(), key.into_bytes());
            drops.push(Dropped { data, encryption_key, ..nothing(Form::Sealed) });
        }
        Ok(drops)
    };
    call.compute(work).await?
}

fn sealed_text(text: &str, key: &PublicKey, entropy: &dyn Entropy) -> Result<Dropped, Fault> {
    let fill = |bytes: &mut [u8]| entropy.fill(bytes);
    let sealed = seal_text(text, key, &mut FillRng::new(&fill)).map_err(unsealed)?;
    Ok(Dropped {
        encryption_key: sealed.encryption_key.into_bytes(),
        data: sealed.data.into_bytes(),
        hash: Some(sealed.hash),
        ..nothing(form_of(sealed.form))
    })
}

/// How a text's form is kept.
pub(super) fn form_of(form: TextForm) -> Form {
    match form {
        TextForm::Latin => Form::Latin,
        TextForm::Utf8 => Form::Utf8,
    }
}

fn nothing(form: Form) -> Dropped {
    Dropped {
        form,
        encryption_key: Vec::new(),
        data: Vec::new(),
        hash: None,
        name: Vec::new(),
        file: None,
    }
}

fn unsealed(error: SealError) -> Fault {
    Fault::internal("encrypting for a box", error)
}
