//! Where phones are served: the rules of registering, linking, looking up and sending stand in the
//! files beside this one as its methods.

use std::sync::Arc;
use std::time::Duration;

use super::limits::PhoneLimits;
use super::token::TokenKey;
use crate::domain::gateway::Gateway;
use crate::domain::ports::{CodeSender, Notifier, Push, Relays};
use crate::domain::vault::Vault;

/// What an operator may choose about phones.
#[derive(Clone, Debug)]
pub struct PhonePolicy {
    /// How long a code is good.
    pub code_life: Duration,
    /// How often a code may be tried.
    pub code_attempts: u32,
    /// How many codes may be made for a number in a day, for each purpose.
    pub codes_per_day: u32,
    /// How often codes may be tried for a number in a day, for each purpose.
    pub code_tries_per_day: u32,
    /// The devices of one phone.
    pub devices: u32,
    /// The key of tokens with which numbers register without a code, if there are any.
    pub token_key: Option<TokenKey>,
}

impl Default for PhonePolicy {
    fn default() -> Self {
        let code_life = Duration::from_secs(15 * 60);
        Self {
            code_life,
            code_attempts: 5,
            codes_per_day: 10,
            code_tries_per_day: 20,
            devices: 6,
            token_key: None,
        }
    }
}

/// Serves phones.
pub struct Switchboard {
    /// The rules that all protocols share, and what they stand on.
    pub gateway: Arc<Gateway>,
    /// Secrets at rest.
    pub vault: Vault,
    /// Hands codes over.
    pub codes: Arc<dyn CodeSender>,
    /// Wakes devices.
    pub push: Arc<dyn Push>,
    /// Sees to it that they are woken.
    pub notifier: Arc<dyn Notifier>,
    /// Other gateways.
    pub relays: Arc<dyn Relays>,
    /// What the operator chose.
    pub policy: PhonePolicy,
    /// How fast phones may go.
    pub limits: PhoneLimits,
}
