//! Phones and contacts in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::account::{AccountKind, Dialect, NewAccount};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    CodePurpose, Contact, ContactToken, Device, DeviceChange, DeviceNumber, NewLink, NewPhone,
    Phone, PhoneNumber, Registered, RelayContact,
};
use crate::domain::ports::Phones;

/// What an account has as a phone.
pub(super) struct Listing {
    pub token: ContactToken,
    pub supports_sms: bool,
    pub is_listed: bool,
    pub identity_key: Option<String>,
}

/// What another gateway says about somebody.
pub(super) struct Relayed {
    relay: String,
    supports_sms: bool,
}

#[async_trait]
impl Phones for MemoryStore {
    async fn phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        Ok(self.state().phone(number).map(Arc::new))
    }

    async fn fresh_phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        self.phone(number).await
    }

    async fn register_phone(&self, new: NewPhone) -> Result<Registered, Fault> {
        self.change().register_phone(new)
    }

    async fn link_device(&self, new: NewLink) -> Result<Registered, Fault> {
        self.change().link_device(new)
    }

    async fn unlink_device(
        &self,
        account: AccountNumber,
        device: DeviceNumber,
        first: SessionNumber,
        _at: Timestamp,
    ) -> Result<Registered, Fault> {
        self.change().unlink_device(account, device, first)
    }

    async fn change_device(
        &self,
        session: SessionNumber,
        change: DeviceChange,
    ) -> Result<(), Fault> {
        self.change().change_device(session, &change);
        Ok(())
    }

    async fn device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        Ok(self.state().devices.contains_key(&session))
    }

    async fn device_inbox(&self, session: SessionId) -> Result<Option<InboxKey>, Fault> {
        let state = self.state();
        let found = state.devices.values().find(|kept| kept.device.id == session);
        let inbox = |account: AccountNumber, session| InboxKey { shard: account.shard(), session };
        Ok(found.map(|kept| inbox(kept.account, kept.device.session)))
    }

    async fn contacts(&self, tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault> {
        let state = self.state();
        let own = state.phones.values().filter(|phone| phone.is_listed);
        let own: BTreeMap<ContactToken, bool> =
            own.map(|phone| (phone.token, phone.supports_sms)).collect();
        let contact = |token: &ContactToken| {
            if let Some(supports_sms) = own.get(token) {
                return Some(Contact { token: *token, relay: None, supports_sms: *supports_sms });
            }
            let Relayed { relay, supports_sms } = state.relay_contacts.get(token)?;
            let (relay, supports_sms) = (Some(relay.clone()), *supports_sms);
            Some(Contact { token: *token, relay, supports_sms })
        };
        Ok(tokens.iter().filter_map(contact).collect())
    }

    async fn count_phones(&self) -> Result<u64, Fault> {
        Ok(self.state().phones.len() as u64)
    }

    async fn list_phones(&self, offset: u64, limit: u32) -> Result<Vec<ListedPhone>, Fault> {
        let state = self.state();
        let page = state.phones.iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        let listed = page.take(limit as usize).map(|(account, phone)| ListedPhone {
            number: PhoneNumber::from_stored(state.accounts[account].external_name.clone()),
            contact: RelayContact {
                token: phone.token,
                supports_sms: phone.supports_sms,
                is_active: phone.is_listed,
            },
        });
        Ok(listed.collect())
    }

    async fn merge_contacts(&self, relay: &str, contacts: Vec<RelayContact>) -> Result<(), Fault> {
        let mut state = self.change();
        for contact in contacts {
            let RelayContact { token, supports_sms, is_active } = contact;
            let is_here = state.phones.values().any(|own| own.is_listed && own.token == token);
            let known = state.relay_contacts.get(&token);
            let is_others = known.is_some_and(|known| known.relay != relay);
            match is_active {
                _ if is_others => {}
                true if is_here => {}
                true => {
                    let relayed = Relayed { relay: relay.to_owned(), supports_sms };
                    state.relay_contacts.insert(token, relayed);
                }
                false => _ = state.relay_contacts.remove(&token),
            }
        }
        Ok(())
    }

    async fn listed_relays(&self) -> Result<Vec<String>, Fault> {
        let state = self.state();
        let relays = state.relay_contacts.values().map(|relayed| relayed.relay.clone());
        Ok(relays.collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn forget_contacts(&self, relay: &str, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let of_it = state.relay_contacts.iter().filter(|(_, relayed)| relayed.relay == relay);
        let gone: Vec<_> = of_it.map(|(token, _)| *token).take(limit as usize).collect();
        state.relay_contacts.retain(|token, _| !gone.contains(token));
        Ok(gone.len() as u64)
    }
}

impl State {
    fn phone(&self, number: &PhoneNumber) -> Option<Phone> {
        let mut accounts = self.accounts.values();
        let account = accounts.find(|account| {
            account.dialect == Dialect::TextSecure && account.external_name == number.as_str()
        })?;
        let listing = self.phones.get(&account.number)?;
        let mut devices: Vec<Device> = self.devices_of(account.number).cloned().collect();
        for device in &mut devices {
            device.last_seen_at = self.last_seen.get(&device.session).copied();
        }
        devices.sort_by_key(|device| device.number);
        Some(Phone {
            account: account.number,
            user: account.id,
            number: number.clone(),
            generation: self.generation(account.number).unwrap_or_default(),
            supports_sms: listing.supports_sms,
            identity_key: listing.identity_key.clone(),
            devices,
        })
    }

    fn register_phone(&mut self, new: NewPhone) -> Result<Registered, Fault> {
        if let Some(code) = &new.code {
            self.use_code(code)?;
        }
        for purpose in CodePurpose::ALL {
            self.codes.remove(&(purpose, new.number.clone()));
        }
        let account = match self.phone(&new.number) {
            Some(phone) => phone.account,
            None => {
                let account = NewAccount {
                    id: new.user,
                    dialect: Dialect::TextSecure,
                    external_name: new.number.as_str().to_owned(),
                    kind: AccountKind::User,
                    full_name: String::new(),
                    created_at: new.at,
                    sessions: Vec::new(),
                };
                self.create_account(account)?.account.number
            }
        };
        let ended: Vec<_> = self.devices_of(account).map(|device| device.session).collect();
        ended.iter().for_each(|session| self.end_device(*session));
        let listing = Listing {
            token: new.token,
            supports_sms: new.supports_sms,
            is_listed: false,
            identity_key: None,
        };
        self.phones.insert(account, listing);
        let device = DeviceNumber::PRIMARY;
        self.add_device(account, device, new.device, new.at);
        Ok(Registered { account, device, ended })
    }
}
