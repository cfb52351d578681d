//! Devices and envelopes for the tests of this module, the same in every run.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::envelope::{Recipient, WrapCache, seal};
use crate::ids::SessionId;
use crate::keys::{AgreementSecret, SigningKey};

pub(super) struct Device {
    pub(super) session: SessionId,
    pub(super) secret: AgreementSecret,
}

impl Device {
    pub(super) fn recipient(&self) -> Recipient {
        Recipient { session: self.session, key: self.secret.public() }
    }
}

pub(super) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(super) fn sender() -> AgreementSecret {
    SigningKey::from_seed(&[200; 32]).agreement_secret()
}

pub(super) fn devices(count: usize) -> Vec<Device> {
    let mut rng = rng(1);
    let device = |_| Device {
        session: SessionId::random(&mut rng),
        secret: SigningKey::generate(&mut rng).agreement_secret(),
    };
    (0..count).map(device).collect()
}

pub(super) fn recipients(devices: &[Device]) -> Vec<Recipient> {
    devices.iter().map(Device::recipient).collect()
}

#[expect(clippy::expect_used, reason = "tests")]
pub(super) fn sealed(plaintext: &[u8], devices: &[Device], cache: Option<&WrapCache>) -> Vec<u8> {
    seal(plaintext, &sender(), &recipients(devices), cache, &mut rng(2)).expect("sound recipients")
}
