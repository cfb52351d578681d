//! Devices of members: enrolled, changed, ended; and members themselves, as far as their devices
//! come with them.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost_sdk::keys::VerifyingKey;

use super::Messenger;
use super::enrolment::Enrolment;
use super::event::MemberEvent;
use super::key_text;
use super::member::{
    EnrolledDevice, ListedMember, Member, MemberDevice, MemberDeviceChange, NewEnrolment,
    NewMember, Permit, SignedKey,
};
use super::name::MemberName;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::ports::Hint;

/// The longest name of a device, in characters.
pub const LABEL_LIMIT: usize = 100;

/// What a new device says of itself, as its owner wrote it.
#[derive(Clone, Debug)]
pub struct DeviceKeys {
    /// Its Ed25519 key, base64.
    pub identity_key: String,
    /// The X25519 key that others agree with.
    pub agreement_key: String,
    /// Its signed prekey.
    pub signed: SignedKey,
    /// Its one-time prekeys.
    pub one_time_keys: Vec<String>,
    /// What its owner calls it.
    pub label: Option<String>,
    /// The identity key's signature of [`proof_text`], base64.
    pub proof: Option<String>,
}

/// What a new device signs to show that it has its identity key: all the rest is told to whoever
/// asks, and could be left here by anybody.
#[must_use]
pub fn proof_text(user: UserId) -> String {
    format!("HushNet device of {user}")
}

/// The field that a fault names when a device has not shown that it has its identity key.
pub const PROOF: &str = "identity_proof";

/// The field that a fault names when a signed prekey was not signed by the identity key.
pub const SIGNED_PREKEY: &str = "signed_prekey";

impl Messenger {
    /// Makes a member, without a device yet; returns it with a token that enrols one.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`username`) when the name cannot be used, [`Fault::Conflict`] when
    /// somebody has it.
    pub async fn create_member(&self, name: &str) -> Result<(ListedMember, String), Fault> {
        let member = self.new_member(name, false).await?;
        let (gateway, key) = (&self.gateway, &self.enrolment_key);
        let (now, life) = (gateway.clock.now(), self.policy.token_life);
        let token = key.issue(member.user, now, life, &*gateway.entropy);
        Ok((member, token))
    }

    /// Makes a member, without a device yet, whose first one comes by its own word: whoever knows
    /// the member's id until then is who made it.
    ///
    /// # Errors
    /// As those of [`create_member`](Self::create_member).
    pub async fn create_member_without_token(&self, name: &str) -> Result<ListedMember, Fault> {
        self.new_member(name, true).await
    }

    async fn new_member(&self, name: &str, enrols_itself: bool) -> Result<ListedMember, Fault> {
        let name = MemberName::parse(name)?;
        let (user, at) = (self.gateway.random_id(), self.gateway.clock.now());
        let idle_before = at.minus(self.policy.enrolment_life);
        let is_discoverable = self.policy.discoverable;
        let new = NewMember { user, name, at, enrols_itself, idle_before, is_discoverable };
        self.gateway.store.create_member(new).await
    }

    /// What a token says, if it may enrol a device of this member.
    #[must_use]
    pub fn read_token(&self, token: &str, user: UserId) -> Option<Permit> {
        let read = self.enrolment_key.read(token, user, self.gateway.clock.now());
        read.map(|Enrolment { hash, until }| Permit::Token { hash, until })
    }

    /// What lets a member's first device in by its own word, soon after the member was made.
    #[must_use]
    pub fn first_permit(&self) -> Permit {
        let now = self.gateway.clock.now();
        Permit::First { made_after: now.minus(self.policy.enrolment_life) }
    }

    /// Enrols a device.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with the field that cannot be used, [`SIGNED_PREKEY`] when the identity key
    /// has not signed it, [`PROOF`] when there is one that is not its own; [`Fault::Forbidden`] when the permit does not hold, [`Fault::NotFound`]
    /// for an unknown member, [`Fault::Conflict`] (`identity_pubkey`) when the key is on file, and
    /// (`devices`) when the member has all the devices that it may have. Nothing is used up then.
    pub async fn enrol(
        &self,
        user: UserId,
        keys: DeviceKeys,
        permit: Permit,
    ) -> Result<EnrolledDevice, Fault> {
        let signing_key = identity_key(&keys.identity_key)?;
        check_signed(&signing_key, &keys.signed)?;
        if let Some(proof) = &keys.proof {
            check_proof(&signing_key, user, proof)?;
        }
        key_text::check("prekey_pubkey", &keys.agreement_key)?;
        self.check_one_time_keys(&keys.one_time_keys)?;
        let label = keys.label.as_deref().map(checked_label).transpose()?;
        let gateway = &self.gateway;
        let most = gateway.limits.sessions_per_account;
        let enrolled = gateway.store.enrol(NewEnrolment {
            user,
            id: gateway.random_id(),
            signing_key,
            identity_key: keys.identity_key,
            agreement_key: keys.agreement_key,
            signed: keys.signed,
            one_time_keys: keys.one_time_keys,
            label,
            permit,
            most,
            at: gateway.clock.now(),
        });
        let enrolled = enrolled.await.map_err(|fault| match fault {
            Fault::TooLarge { limit, .. } => {
                let reason = format!("the user has all the {limit} devices that it may have");
                Fault::conflict("devices", reason)
            }
            other => other,
        })?;
        self.announce(enrolled.account, user, &[]);
        Ok(enrolled)
    }

    /// Another name for a device, or none.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`device_label`), [`Fault::NotFound`] unless it is one of the member's.
    pub async fn rename_device(
        &self,
        member: &Member,
        id: SessionId,
        label: Option<String>,
    ) -> Result<MemberDevice, Fault> {
        let label = label.as_deref().map(checked_label).transpose()?;
        let device = member.device(id).ok_or(Fault::NotFound { what: "device" })?;
        let change = MemberDeviceChange::Label(label.clone());
        self.gateway.store.change_member_device(device.session, change).await?;
        self.announce(member.account, member.user, &[]);
        Ok(MemberDevice { label, ..device.clone() })
    }

    /// Puts another signed prekey in the place of a device's own.
    ///
    /// # Errors
    /// [`Fault::Invalid`] ([`SIGNED_PREKEY`]) when the device has not signed it.
    pub async fn replace_signed_key(
        &self,
        member: &Member,
        device: &MemberDevice,
        signed: SignedKey,
    ) -> Result<(), Fault> {
        check_signed(&identity_key(&device.identity_key)?, &signed)?;
        let change = MemberDeviceChange::Signed(signed);
        self.gateway.store.change_member_device(device.session, change).await?;
        self.announce(member.account, member.user, &[]);
        Ok(())
    }

    /// Adds one-time prekeys of a device; returns how many it has.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`one_time_prekeys`) when one cannot be used, or there would be too many.
    pub async fn refill(
        &self,
        member: &Member,
        device: &MemberDevice,
        keys: Vec<String>,
    ) -> Result<u64, Fault> {
        self.check_one_time_keys(&keys)?;
        let most = self.policy.one_time_keys;
        let added = self.gateway.store.add_one_time_keys(device.session, keys, most).await;
        let count = added.map_err(|fault| match fault {
            Fault::TooLarge { .. } => too_many_keys(most),
            other => other,
        })?;
        self.announce(member.account, member.user, &[]);
        Ok(count)
    }

    /// Ends a device.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless it is a live one of the member's, [`Fault::Conflict`] when it is the
    /// last one.
    pub async fn end_device(&self, member: &Member, id: SessionId) -> Result<(), Fault> {
        let now = self.gateway.clock.now();
        let ended = self.gateway.store.end_member_device(member.account, id, now).await?;
        self.announce(member.account, member.user, &[ended]);
        Ok(())
    }

    /// Puts a member into the list that everybody may read, or takes it out. Whoever knows its id or
    /// its name finds it either way.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_discoverable(
        &self,
        member: &Member,
        is_discoverable: bool,
    ) -> Result<(), Fault> {
        self.gateway.store.set_discoverable(member.account, is_discoverable).await
    }

    /// Deletes a member with all that belongs to it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_member(&self, member: &Member) -> Result<(), Fault> {
        let now = self.gateway.clock.now();
        let ended = self.gateway.store.delete_member(member.account, now).await?;
        self.announce(member.account, member.user, &ended);
        Ok(())
    }

    /// Holds a device to the strong signature from now on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn hold_to_strength(&self, device: &MemberDevice) -> Result<(), Fault> {
        let change = MemberDeviceChange::Strong;
        self.gateway.store.change_member_device(device.session, change).await
    }

    /// Gives out one one-time prekey of each device, in their order. Whose device has none left is
    /// told. An address that has asked too often gets none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_keys(
        &self,
        member: &Member,
        by: Option<IpAddr>,
    ) -> Result<Vec<Option<String>>, Fault> {
        let sessions: Vec<_> = member.devices.iter().map(|device| device.session).collect();
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        if !self.allowances.one_time_keys(by, member.account) {
            return Ok(vec![None; sessions.len()]);
        }
        let until = self.gateway.clock.now().plus(TAKEN_LIFE);
        let taken = self.gateway.store.take_one_time_keys(&sessions, until).await?;
        if taken.iter().any(Option::is_none) {
            self.tell_of_devices(member.account, member.user);
        }
        Ok(taken)
    }

    fn check_one_time_keys(&self, keys: &[String]) -> Result<(), Fault> {
        if keys.len() > self.policy.one_time_keys as usize {
            return Err(too_many_keys(self.policy.one_time_keys));
        }
        keys.iter().try_for_each(|key| key_text::check(ONE_TIME, key))
    }

    fn announce(&self, account: AccountNumber, user: UserId, ended: &[SessionNumber]) {
        for session in ended {
            self.gateway.bus.publish(Hint::SessionEnded(*session));
        }
        self.gateway.bus.publish(Hint::RosterChanged(account));
        self.tell_of_devices(account, user);
    }

    fn tell_of_devices(&self, account: AccountNumber, user: UserId) {
        self.tell(account, MemberEvent::Device { user });
    }
}

/// A key that was given out may be named by an introduction for so long.
const TAKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

const ONE_TIME: &str = "one_time_prekeys";

fn too_many_keys(most: u32) -> Fault {
    Fault::invalid(ONE_TIME, format!("are more than the {most} that a device may have"))
}

/// An identity key that is safe to rely on.
///
/// # Errors
/// [`Fault::Invalid`] (`identity_pubkey`).
pub(super) fn identity_key(text: &str) -> Result<VerifyingKey, Fault> {
    let invalid = |reason: String| Fault::invalid("identity_pubkey", reason);
    let bytes = STANDARD.decode(text).map_err(|_| invalid("is not base64".to_owned()))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| invalid("has not 32 bytes".to_owned()))?;
    VerifyingKey::from_bytes(&bytes).map_err(|error| invalid(error.to_string()))
}

fn check_signed(key: &VerifyingKey, signed: &SignedKey) -> Result<(), Fault> {
    let invalid = |reason: &str| Fault::invalid(SIGNED_PREKEY, reason);
    key_text::check_length("signed_prekey_pub", &signed.key)?;
    key_text::check(SIGNED_PREKEY, &signed.key)?;
    let bytes = STANDARD.decode(&signed.key).map_err(|_| invalid("is not base64"))?;
    let signature = STANDARD.decode(&signed.signature).ok();
    let signature: Option<[u8; 64]> = signature.and_then(|signature| signature.try_into().ok());
    let signature = signature.ok_or_else(|| invalid("has a signature that is not 64 bytes"))?;
    key.verify(&bytes, &signature).map_err(|_| invalid("was not signed by the identity key"))
}

fn check_proof(key: &VerifyingKey, user: UserId, proof: &str) -> Result<(), Fault> {
    let bad = || Fault::invalid(PROOF, "is no signature of this user's id by the identity key");
    let signature: [u8; 64] =
        STANDARD.decode(proof).ok().and_then(|it| it.try_into().ok()).ok_or_else(bad)?;
    key.verify(proof_text(user).as_bytes(), &signature).map_err(|_| bad())
}

fn checked_label(label: &str) -> Result<String, Fault> {
    let invalid = |reason: String| Err(Fault::invalid("device_label", reason));
    if label.chars().count() > LABEL_LIMIT {
        return invalid(format!("has more than {LABEL_LIMIT} characters"));
    }
    if label.chars().any(char::is_control) {
        return invalid("holds a control character".to_owned());
    }
    Ok(label.to_owned())
}

#[cfg(test)]
mod tests {
    use sealpost_sdk::keys::SigningKey;

    use super::*;

    fn field<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
        match outcome {
            Err(Fault::Invalid { field, .. }) => field.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_identity_key_is_a_good_point_and_signs_its_prekey() {
        let owner = SigningKey::from_seed(&[7; 32]);
        let key = identity_key(&STANDARD.encode(owner.verifying_key().to_bytes())).unwrap();
        let signed = |bytes: &[u8], signature: &[u8]| SignedKey {
            key: STANDARD.encode(bytes),
            signature: STANDARD.encode(signature),
        };
        check_signed(&key, &signed(&[9; 32], &owner.sign(&[9; 32]))).unwrap();
        assert_eq!(
            field(check_signed(&key, &signed(&[8; 32], &owner.sign(&[9; 32])))),
            SIGNED_PREKEY
        );
        assert_eq!(field(check_signed(&key, &signed(&[9; 32], &[1; 63]))), SIGNED_PREKEY);
        for bad in ["", "AAAA", "_-8=", &STANDARD.encode([0; 32]), &STANDARD.encode([1; 31])] {
            assert_eq!(field(identity_key(bad)), "identity_pubkey", "{bad}");
        }
    }

    #[test]
    fn a_label_is_short_and_prints() {
        assert_eq!(checked_label("Flutter-17 ☎").unwrap(), "Flutter-17 ☎");
        assert_eq!(field(checked_label("a\nb")), "device_label");
        assert_eq!(field(checked_label(&"x".repeat(101))), "device_label");
    }
}
