//! Further devices of a phone: a code from the first one, and what is done with it.

use zeroize::Zeroizing;

use super::code::{CodePurpose, CodeUse};
use super::device::{
    Device, DeviceNumber, NewLink, PasswordHash, Phone, Registered, not_the_first,
};
use super::limits::PhoneLimit;
use super::number::PhoneNumber;
use super::registration::Attributes;
use super::switchboard::Switchboard;
use super::verification::{fresh_code, link_context};
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionNumber};

/// That a phone's owner wants a further device.
#[derive(Debug)]
pub struct Permit {
    account: AccountNumber,
    first: SessionNumber,
    code: CodeUse,
}

/// Why a device is not linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The phone has all the devices that it may have.
    #[error("there are {current} devices of {most}")]
    Full {
        /// How many it has.
        current: u64,
        /// How many it may have.
        most: u64,
    },
    /// Anything else.
    #[error(transparent)]
    Fault(Fault),
}

impl From<Fault> for LinkError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge { actual, limit, .. } => {
                Self::Full { current: actual.saturating_sub(1), most: limit }
            }
            other => Self::Fault(other),
        }
    }
}

impl Switchboard {
    /// A code that lets one further device in, in the place of any earlier one.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], [`Fault::Unauthorized`] unless the first device asks,
    /// [`LinkError::Full`].
    pub async fn link_code(
        &self,
        phone: &Phone,
        device: &Device,
    ) -> Result<Zeroizing<String>, LinkError> {
        self.limits.take(PhoneLimit::LinkCodes, phone.number.as_str(), 1)?;
        only_the_first(device)?;
        let (current, most) = (phone.devices.len() as u64, u64::from(self.policy.devices));
        if current >= most {
            return Err(LinkError::Full { current, most });
        }
        let code = fresh_code(&*self.gateway.entropy);
        let context = link_context(&phone.number, Some(device.id));
        self.keep_code(CodePurpose::Link, &context, phone.number.clone(), &code).await?;
        Ok(code)
    }

    /// Compares a code with the one that the phone's first device was given.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::Forbidden`] when it is not the code, there is none, or
    /// there is no such phone.
    pub async fn permit_link(&self, number: &PhoneNumber, code: &str) -> Result<Permit, Fault> {
        self.limits.take(PhoneLimit::Links, number.as_str(), 1)?;
        // What is remembered may be the phone of somebody who has lost the number.
        let phone = self.gateway.store.fresh_phone(number).await?;
        let first = phone.as_ref().and_then(|phone| phone.device(DeviceNumber::PRIMARY));
        let context = link_context(number, first.map(|device| device.id));
        let code = self.try_code(CodePurpose::Link, &context, number, code).await?;
        let (phone, first) = phone.as_ref().zip(first).ok_or_else(CodeUse::refusal)?;
        Ok(Permit { account: phone.account, first: first.session, code })
    }

    /// Links a device.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the code was used, or another one made, meanwhile;
    /// [`LinkError::Full`].
    pub async fn link(
        &self,
        permit: Permit,
        password: PasswordHash,
        attributes: Attributes,
    ) -> Result<Registered, LinkError> {
        let linked = self.gateway.store.link_device(NewLink {
            account: permit.account,
            first: permit.first,
            device: self.new_device(password, attributes),
            most: self.policy.devices,
            code: permit.code,
            at: self.gateway.clock.now(),
        });
        let linked = linked.await?;
        self.announce(&linked);
        Ok(linked)
    }

    /// Ends a device of a phone; one that there is not is ended already.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] unless the first device asks, also when it is no more;
    /// [`Fault::Forbidden`] when it is the first one that is to end.
    pub async fn unlink(
        &self,
        phone: &Phone,
        device: &Device,
        ends: DeviceNumber,
    ) -> Result<(), Fault> {
        only_the_first(device)?;
        if ends == DeviceNumber::PRIMARY {
            return Err(Fault::forbidden("the first device ends when its number registers again"));
        }
        let at = self.gateway.clock.now();
        match self.gateway.store.unlink_device(phone.account, ends, device.session, at).await {
            Ok(ended) => self.announce(&ended),
            Err(Fault::NotFound { .. }) => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }
}

fn only_the_first(device: &Device) -> Result<(), Fault> {
    if device.number == DeviceNumber::PRIMARY {
        return Ok(());
    }
    Err(not_the_first())
}
