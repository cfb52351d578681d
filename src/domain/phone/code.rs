//! Codes of six digits that prove a number, or allow a further device.

use std::time::Duration;

use super::number::PhoneNumber;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::vault::Sealed;

/// What a code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// Registering the number.
    Register,
    /// Linking a further device to the number's account.
    Link,
}

impl CodePurpose {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Register, Self::Link];

    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Link => "link",
        }
    }
}

/// How a code gets to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A text message.
    Sms,
    /// A call in which it is spoken.
    Voice,
}

impl Transport {
    /// Its name, in the store and in what senders are told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
        }
    }

    /// The transport of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sms, Self::Voice].into_iter().find(|transport| transport.as_str() == name)
    }
}

/// A code that takes the place of any earlier one for the same number and purpose.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// What it is good for.
    pub purpose: CodePurpose,
    /// For which number.
    pub number: PhoneNumber,
    /// The code, sealed.
    pub code: Sealed,
    /// Whether the operator has to hand it over, and how its owner wanted it.
    pub outbox: Option<Transport>,
    /// The present moment.
    pub created_at: Timestamp,
    /// From when on it is good for nothing.
    pub expires_at: Timestamp,
    /// How many codes may be made within a window.
    pub window: Window,
}

/// How long codes and tries are counted for a number and a purpose, whatever became of each code:
/// with every code a guesser could begin anew otherwise.
pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// What may be done within a window. A window begins with what comes first after the one before,
/// and ends at once when a code was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The end of one that begins now.
    pub ends_at: Timestamp,
    /// How much at most.
    pub most: u32,
}

impl Window {
    /// One that begins now.
    #[must_use]
    pub fn beginning(now: Timestamp, most: u32) -> Self {
        Self { ends_at: now.plus(WINDOW), most }
    }

    /// What is said when all of a window that ends then was used up.
    #[must_use]
    pub fn refusal(what: &'static str, ends_at: Timestamp, now: Timestamp) -> Fault {
        let micros = ends_at.as_micros().saturating_sub(now.as_micros());
        let retry_after = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        Fault::RateLimited { what, retry_after }
    }
}

/// What is counted of codes in a window.
pub const CODES_COUNTED: &str = "codes for a number in a day";

/// What is counted of tries in a window.
const TRIES_COUNTED: &str = "tries of codes for a number in a day";

/// Somebody tries a code.
#[derive(Clone, Debug)]
pub struct CodeTry {
    /// What for.
    pub purpose: CodePurpose,
    /// For which number.
    pub number: PhoneNumber,
    /// The present moment.
    pub now: Timestamp,
    /// How often one code may be tried.
    pub most: u32,
    /// How often codes may be tried within a window.
    pub window: Window,
}

impl CodeTry {
    /// What there is to say against a further one in the window that ends then, after so many.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when there may be no more in it.
    pub fn check_window(&self, ends_at: Timestamp, tries: i64) -> Result<(), Fault> {
        if ends_at > self.now && tries >= self.window.most.into() {
            return Err(Window::refusal(TRIES_COUNTED, ends_at, self.now));
        }
        Ok(())
    }
}

/// A code that somebody tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCode {
    /// The code, sealed.
    pub code: Sealed,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// The use of a code, in the transaction that it allows: at most one succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeUse {
    /// What for.
    pub purpose: CodePurpose,
    /// The number that it was made for.
    pub number: PhoneNumber,
    /// The code as it is on file; another one by now is not used.
    pub code: Sealed,
}

impl CodeUse {
    /// What is said to somebody whose code is not on file any more.
    #[must_use]
    pub fn refusal() -> Fault {
        Fault::forbidden("the code is not on file any more")
    }
}

/// A code that the operator has to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxCode {
    /// For whom.
    pub number: PhoneNumber,
    /// How its owner wanted it.
    pub transport: Transport,
    /// The code, sealed.
    pub code: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is good for nothing.
    pub expires_at: Timestamp,
}
