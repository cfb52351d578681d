//! Version 1: the original's requests, answers and ciphers.
//!
//! A request goes through `intake`, which collects its parameters wherever they stand, and then
//! to the file that is named after what it asks for; `answer` writes what comes of it as JSON or
//! XML. The gateway sees passphrases and texts here, so nothing of this is there unless an operator
//! wants it. `secret` says what proves an owner.
//!
//! | documented | the original's server | here |
//! | --- | --- | --- |
//! | `GET` with a passphrase: decrypted messages | the branch is inverted | as documented |
//! | `privatekeyhash` is stored | dropped by `/Service`, kept by `/Service/Create` | kept by both |
//! | `privatekeyhash` reads and deletes | not by itself; a header of that name is not read | does, from a header as well |
//! | `privatekey` is optional | required | optional |
//! | 304 when there are no messages | for no request that can happen | always, unless there is a `Prefer` |
//! | files | the first of them | all of them |

mod answer;
mod computing;
mod creating;
pub mod crypto;
mod dates;
mod deleting;
mod describing;
mod disposition;
mod downloading;
mod files;
mod inflow;
mod intake;
mod json;
mod letter_page;
mod letters;
mod listing;
mod members;
mod multipart;
mod names;
mod outflow;
mod page;
mod parameters;
mod reading;
mod secret;
mod sending;
mod tickets;
mod views;
mod xml;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::KeyServiceState;
use super::asked::{Asked, Operation};
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::http::problem::Problem;
use computing::{Computing, Turns};
use tickets::Tickets;

pub use answer::Format;
pub(super) use answer::shape_fault;
pub(super) use letters::fault_page;

/// What version 1 has of its own. Gateways with the same secret open each other's downloads.
#[derive(Clone)]
pub struct One(Arc<Own>);

struct Own {
    tickets: Tickets,
    computing: Computing,
    /// What stands in for a private key that is not there, as long as one.
    no_private_key: String,
}

/// Bytes of an encrypted private key of 1024 bits, as the original writes it.
const PRIVATE_KEY_BYTES: usize = 1840;

impl One {
    /// Version 1 of a gateway with this secret, from which the key of its downloads follows.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(Arc::new(Own {
            tickets: Tickets::derive(seed),
            computing: Computing::new(),
            no_private_key: BASE64.encode([0x5a; PRIVATE_KEY_BYTES]),
        }))
    }
}

/// What is known of a request before its parameters are.
struct Call {
    state: Arc<KeyServiceState>,
    one: One,
    asked: Asked,
    format: Format,
}

impl Call {
    fn visitor(&self) -> Visitor {
        Visitor { account: None, address: self.asked.address }
    }

    /// Computes something for this request.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when there is no place for that, [`Fault::Internal`] when it panics.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        self.one.0.computing.place(self.asked.address).await?.compute(work).await
    }

    /// The same piece by piece.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when this request's network has too much of that.
    fn turns(&self) -> Result<Turns, Fault> {
        self.one.0.computing.turns(self.asked.address)
    }
}

/// The format that a request wants its answer in, refusals included.
pub(super) fn format_of(parts: &Parts) -> Format {
    Format::of(&parts.headers, parts.uri.query().unwrap_or_default())
}

/// The answer to a request of version 1. What goes wrong is a [`Problem`], for [`shape_fault`].
pub(super) async fn answer(
    state: Arc<KeyServiceState>,
    asked: Asked,
    request: Request,
) -> Response {
    let answer = answer_to(state, asked, request).await;
    answer.unwrap_or_else(|fault| Problem::from(fault).into_response())
}

async fn answer_to(
    state: Arc<KeyServiceState>,
    asked: Asked,
    request: Request,
) -> Result<Response, Fault> {
    let Some(one) = state.v1.clone() else {
        return Err(Fault::malformed("version 1 is switched off here; append v=2"));
    };
    let format = Format::of(request.headers(), request.uri().query().unwrap_or_default());
    let operation = asked.operation;
    let call = Call { state, one, asked, format };
    match operation {
        Operation::Create => creating::create(&call, request).await,
        Operation::Put => sending::send(&call, request).await,
        Operation::Read => reading::read(&call, request).await,
        Operation::Delete => deleting::delete(&call, request).await,
        Operation::Describe => describing::describe(&call, request).await,
        Operation::File => Err(Fault::NotFound { what: "path of version 1" }),
        Operation::LeaveLetter => letters::leave(&call, request).await,
        Operation::ShowLetter => letters::show(&call, request).await,
        Operation::TakeLetter => letters::take(&call, request).await,
        Operation::Download => downloading::download(&call, request).await,
    }
}
