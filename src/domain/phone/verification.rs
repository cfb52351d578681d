//! Codes on their way: how they are made, handed over and tried.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::code::{CodePurpose, CodeTry, CodeUse, NewCode, Transport, Window};
use super::limits::PhoneLimit;
use super::number::PhoneNumber;
use super::switchboard::Switchboard;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::ports::{CodeDelivery, CodeMessage, Entropy};
use crate::domain::vault::Sealed;

/// A code that waits for the operator to hand it over.
pub struct WaitingCode {
    /// For whom.
    pub number: PhoneNumber,
    /// How its owner wanted it.
    pub transport: Transport,
    /// Six decimal digits.
    pub code: Zeroizing<String>,
    /// From when on it is good for nothing.
    pub expires_at: Timestamp,
}

impl WaitingCode {
    /// The code as people write it, `NNN-NNN`.
    #[must_use]
    pub fn dashed(&self) -> Zeroizing<String> {
        dashed(&self.code)
    }
}

/// A code as people write it, `NNN-NNN`.
#[must_use]
pub fn dashed(code: &str) -> Zeroizing<String> {
    let (first, second) = code.split_at_checked(3).unwrap_or((code, ""));
    Zeroizing::new(format!("{first}-{second}"))
}

impl Switchboard {
    /// Hands a fresh code to whoever has the number, in the place of any earlier one.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::Unavailable`] when nobody hands codes over: then the code
    /// is on file, and nobody knows it.
    pub async fn send_code(&self, number: PhoneNumber, transport: Transport) -> Result<(), Fault> {
        let limit = match transport {
            Transport::Sms => PhoneLimit::SmsCodes,
            Transport::Voice => PhoneLimit::VoiceCodes,
        };
        self.limits.take(limit, number.as_str(), 1)?;
        if let Some(fixed) = self.codes.fixed(&number) {
            self.keep_code(CodePurpose::Register, &register_context(&number), number, &fixed)
                .await?;
            return Ok(());
        }
        let code = fresh_code(&*self.gateway.entropy);
        // On file first: what is handed over is good, and what was not counted costs nothing.
        let (purpose, context) = (CodePurpose::Register, register_context(&number));
        let kept = self.keep_code(purpose, &context, number.clone(), &code).await?;
        let message = CodeMessage { number, transport, code };
        match self.codes.deliver(&message).await? {
            CodeDelivery::Sent => Ok(()),
            CodeDelivery::Outbox => self.gateway.store.hand_over(kept, transport).await,
        }
    }

    /// A fresh code for a number, in the place of any earlier one, for whoever asks: it proves
    /// nothing.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub async fn show_code(&self, number: PhoneNumber) -> Result<Zeroizing<String>, Fault> {
        self.limits.take(PhoneLimit::SmsCodes, number.as_str(), 1)?;
        let code = self.codes.fixed(&number);
        let code = code.unwrap_or_else(|| fresh_code(&*self.gateway.entropy));
        self.keep_code(CodePurpose::Register, &register_context(&number), number, &code).await?;
        Ok(code)
    }

    /// Codes that wait for the operator to hand them over, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store fails, or another gateway has sealed them.
    pub async fn waiting_codes(&self, limit: u32) -> Result<Vec<WaitingCode>, Fault> {
        let waiting = self.gateway.store.outbox(self.gateway.clock.now(), limit).await?;
        let shown = waiting.into_iter().map(|kept| {
            let code = self.vault.open(&register_context(&kept.number), &kept.code)?;
            Ok(WaitingCode {
                code: Zeroizing::new(String::from_utf8_lossy(&code).into_owned()),
                number: kept.number,
                transport: kept.transport,
                expires_at: kept.expires_at,
            })
        });
        shown.collect()
    }

    /// Keeps a code in the place of any earlier one.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when there were too many in a day.
    pub(super) async fn keep_code(
        &self,
        purpose: CodePurpose,
        context: &str,
        number: PhoneNumber,
        code: &str,
    ) -> Result<CodeUse, Fault> {
        let code = self.vault.seal(&*self.gateway.entropy, context, code.as_bytes());
        let kept = CodeUse { purpose, number, code };
        self.put_code(&kept, self.policy.codes_per_day).await?;
        Ok(kept)
    }

    async fn put_code(&self, code: &CodeUse, most: u32) -> Result<(), Fault> {
        let now = self.gateway.clock.now();
        let code = NewCode {
            purpose: code.purpose,
            number: code.number.clone(),
            code: code.code.clone(),
            outbox: None,
            created_at: now,
            expires_at: now.plus(self.policy.code_life),
            window: Window::beginning(now, most),
        };
        self.gateway.store.put_code(code).await
    }

    /// Compares a code with the one on file. A try counts whatever comes of it, and "there is none"
    /// is the same answer as "it is another one".
    ///
    /// # Errors
    /// [`Fault::Forbidden`], and [`Fault::RateLimited`] when there were too many tries in a day.
    pub(super) async fn try_code(
        &self,
        purpose: CodePurpose,
        context: &str,
        number: &PhoneNumber,
        given: &str,
    ) -> Result<CodeUse, Fault> {
        let now = self.gateway.clock.now();
        let attempt = CodeTry {
            purpose,
            number: number.clone(),
            now,
            most: self.policy.code_attempts,
            window: Window::beginning(now, self.policy.code_tries_per_day),
        };
        let kept = self.gateway.store.try_code(attempt).await?;
        let (is_kept, kept) = match kept {
            Some(kept) => (true, kept.code),
            None => (false, self.decoy(purpose, context).await?),
        };
        let wrong = || Fault::forbidden("the code is wrong");
        let code = match (self.vault.open(context, &kept), purpose) {
            (Ok(code), _) => code,
            // A first device asked for it that is no more.
            (Err(_), CodePurpose::Link) => return Err(wrong()),
            (Err(fault), CodePurpose::Register) => return Err(fault),
        };
        // Codes are often written with a dash in their middle.
        let given = Zeroizing::new(given.replace('-', ""));
        let is_right = bool::from(code.as_slice().ct_eq(given.as_bytes()));
        if !(is_kept && is_right) {
            return Err(wrong());
        }
        Ok(CodeUse { purpose, number: number.clone(), code: kept })
    }

    /// A code that nobody gives. Counting a try changes the database, and finding nothing to count
    /// does not; so that nobody learns from the time that it takes for which numbers codes wait,
    /// something is changed then too.
    async fn decoy(&self, purpose: CodePurpose, context: &str) -> Result<Sealed, Fault> {
        const DIGITS: &str = "------";
        let number = PhoneNumber::from_stored("nobody".to_owned());
        let code = self.vault.seal(&*self.gateway.entropy, context, DIGITS.as_bytes());
        let decoy = CodeUse { purpose, number, code };
        self.put_code(&decoy, u32::MAX).await?;
        Ok(decoy.code)
    }
}

/// What a code is sealed for that proves a number: it opens for no other one and nothing else.
pub(super) fn register_context(number: &PhoneNumber) -> String {
    format!("code register {}", number.as_str())
}

/// What a code is sealed for that links a device: it opens as long as this is the number's first
/// device. Who asked for it and lost the number since lets nobody in.
pub(super) fn link_context(number: &PhoneNumber, first: Option<SessionId>) -> String {
    let first = first.map(|first| first.to_string()).unwrap_or_default();
    format!("code link {} {first}", number.as_str())
}

const FEWEST: u32 = 100_000;
const CODES: u32 = 900_000;

/// Six digits, the first of which is not 0, each number as likely as any other.
pub(super) fn fresh_code(entropy: &dyn Entropy) -> Zeroizing<String> {
    // The rest of a division favours small numbers unless what is divided is a multiple.
    const MOST: u32 = u32::MAX - u32::MAX % CODES;
    loop {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        let drawn = u32::from_le_bytes(bytes);
        if drawn < MOST {
            return Zeroizing::new((FEWEST + drawn % CODES).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Drawn(Mutex<Vec<u32>>);

    impl Entropy for Drawn {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.lock().unwrap().remove(0);
            bytes.copy_from_slice(&next.to_le_bytes());
        }
    }

    #[test]
    fn a_code_has_six_digits_and_none_is_likelier() {
        let code = |drawn: &[u32]| fresh_code(&Drawn(Mutex::new(drawn.to_vec()))).to_string();
        assert_eq!(code(&[0]), "100000");
        assert_eq!(code(&[899_999]), "999999");
        assert_eq!(code(&[900_000]), "100000");
        // Above the last multiple it is drawn again.
        assert_eq!(code(&[u32::MAX, 4_294_800_000, 4_294_799_999]), "999999");
    }
}
