//! A code is on file before somebody brings it to its owner.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealpost::domain::Fault;
use sealpost::domain::phone::{PhoneLimit, PhoneLimits, PhoneNumber, Switchboard, Transport};
use sealpost::domain::ports::{CodeDelivery, CodeMessage, CodeSender};
use sealpost::domain::vault::Vault;
use zeroize::Zeroizing;

use crate::harness::TestApp;

/// Hands the code over, and fails all the same: the answer was lost.
#[derive(Default)]
struct Forgetful(Mutex<Vec<String>>);

#[async_trait]
impl CodeSender for Forgetful {
    async fn deliver(&self, message: &CodeMessage) -> Result<CodeDelivery, Fault> {
        self.0.lock().unwrap().push(message.code.to_string());
        Err(Fault::internal("handing a code over", "the answer was lost"))
    }

    fn fixed(&self, _number: &PhoneNumber) -> Option<Zeroizing<String>> {
        None
    }
}

#[tokio::test]
async fn what_was_handed_over_is_good_and_counts_whatever_became_of_the_answer() {
    let app = TestApp::start_for_phones().await;
    let (usual, sender) = (app.switchboard(), Arc::new(Forgetful::default()));
    let mut policy = usual.policy.clone();
    policy.codes_per_day = 2;
    let switchboard = Switchboard {
        gateway: app.gateway(),
        vault: Vault::derive(&[7; 32]),
        codes: sender.clone(),
        push: usual.push.clone(),
        notifier: usual.notifier.clone(),
        relays: usual.relays.clone(),
        policy,
        limits: PhoneLimits::new(app.clock.clone(), PhoneLimit::usual),
    };
    let number = PhoneNumber::parse("+14152222222").unwrap();
    for transport in [Transport::Sms, Transport::Voice] {
        let failed = switchboard.send_code(number.clone(), transport).await;
        assert!(matches!(failed, Err(Fault::Internal { .. })), "{failed:?}");
    }
    let refused = switchboard.send_code(number.clone(), Transport::Sms).await;
    assert!(matches!(refused, Err(Fault::RateLimited { .. })), "{refused:?}");
    let handed_over = sender.0.lock().unwrap().clone();
    assert_eq!(handed_over.len(), 2, "what is not counted is not handed over");
    switchboard.prove_by_code(number, &handed_over[1]).await.unwrap();
}
