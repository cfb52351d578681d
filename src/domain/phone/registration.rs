//! Registering a number: the proof that somebody has it, and its first device.

use zeroize::Zeroizing;

use super::code::{CodePurpose, CodeUse};
use super::contact::ContactToken;
use super::device::{
    NewDevice, NewPhone, PasswordHash, Registered, SIGNALLING_KEY, signalling_key_context,
};
use super::limits::PhoneLimit;
use super::number::PhoneNumber;
use super::switchboard::Switchboard;
use super::verification::register_context;
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::ports::Hint;

/// What somebody says about the device that they register or link.
pub struct Attributes {
    /// The key under which everything on the way to it is encrypted once more.
    pub signalling_key: Zeroizing<[u8; SIGNALLING_KEY]>,
    /// Whether the phone also takes text messages.
    pub supports_sms: bool,
    /// A random number of its installation; 0 for unknown.
    pub registration: u32,
    /// Whether it comes for its messages by itself.
    pub fetches: bool,
    /// What its owner calls it.
    pub name: Option<String>,
}

/// That somebody has a number: only who has one registers it.
#[derive(Debug)]
pub struct Proof {
    number: PhoneNumber,
    code: Option<CodeUse>,
}

/// Why somebody did not prove that they may register a number.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Another gateway has the number.
    #[error("the number is another gateway's")]
    Elsewhere,
    /// Anything else: [`Fault::Forbidden`] for a proof that is not good.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Switchboard {
    /// Proves a number by the code that was handed to its owner.
    ///
    /// # Errors
    /// [`Fault::RateLimited`]; [`Fault::Forbidden`] when it is not the code, or there is none;
    /// [`ProofError::Elsewhere`].
    pub async fn prove_by_code(
        &self,
        number: PhoneNumber,
        code: &str,
    ) -> Result<Proof, ProofError> {
        self.limits.take(PhoneLimit::Registrations, number.as_str(), 1)?;
        let context = register_context(&number);
        let code = self.try_code(CodePurpose::Register, &context, &number, code).await?;
        self.refuse_if_elsewhere(&number).await?;
        Ok(Proof { number, code: Some(code) })
    }

    /// Proves a number by the operator's word for it.
    ///
    /// # Errors
    /// As [`Self::prove_by_code`].
    pub async fn prove_by_token(
        &self,
        number: PhoneNumber,
        token: &str,
    ) -> Result<Proof, ProofError> {
        self.limits.take(PhoneLimit::Registrations, number.as_str(), 1)?;
        let (key, now) = (self.policy.token_key.as_ref(), self.gateway.clock.now());
        if !key.is_some_and(|key| key.proves(token, &number, now)) {
            return Err(Fault::forbidden("the token does not prove the number").into());
        }
        self.refuse_if_elsewhere(&number).await?;
        Ok(Proof { number, code: None })
    }

    /// Registers a number with its first device. All that the number had before ends.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the code was used, or another one made, meanwhile.
    pub async fn register(
        &self,
        proof: Proof,
        password: PasswordHash,
        attributes: Attributes,
    ) -> Result<Registered, Fault> {
        let Proof { number, code } = proof;
        let registered = self.gateway.store.register_phone(NewPhone {
            token: ContactToken::of(&number),
            number,
            user: self.gateway.random_id(),
            supports_sms: attributes.supports_sms,
            device: self.new_device(password, attributes),
            code,
            at: self.gateway.clock.now(),
        });
        let registered = registered.await?;
        self.announce(&registered);
        Ok(registered)
    }

    /// What the store needs to make a device with these attributes.
    pub(super) fn new_device(&self, password: PasswordHash, attributes: Attributes) -> NewDevice {
        let (entropy, id): (_, SessionId) = (&self.gateway.entropy, self.gateway.random_id());
        let context = signalling_key_context(id);
        let key = attributes.signalling_key.as_slice();
        NewDevice {
            id,
            password,
            signalling_key: self.vault.seal(&**entropy, &context, key),
            registration: attributes.registration,
            fetches: attributes.fetches,
            name: attributes.name,
        }
    }

    /// Tells those who read for devices that have ended. Nobody else waits for changes of phones: who
    /// knows an old list of devices finds out when a message is refused.
    pub(super) fn announce(&self, registered: &Registered) {
        for session in &registered.ended {
            self.gateway.bus.publish(Hint::SessionEnded(*session));
        }
    }

    /// A number that has registered here is here, whether messages reach it at present or not.
    async fn refuse_if_elsewhere(&self, number: &PhoneNumber) -> Result<(), ProofError> {
        if self.gateway.store.phone(number).await?.is_some() {
            return Ok(());
        }
        let listed = self.look_up(&[ContactToken::of(number)]).await?;
        if listed.iter().any(|contact| contact.relay.is_some()) {
            return Err(ProofError::Elsewhere);
        }
        Ok(())
    }
}
