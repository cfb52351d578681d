//! Those who wait for messages, when the operator turns the switch.

use std::sync::Arc;

use crate::delivery::hub::Hub;
use crate::http::switch::Switch;

/// Sends readers away, and lets them in again, as the switch says; the caller ends it by dropping it.
pub(super) async fn turn(switch: Arc<Switch>, hub: Arc<Hub>) {
    let mut told = switch.follow();
    loop {
        let draining = told.borrow_and_update().draining;
        if draining {
            hub.send_away();
        } else {
            hub.let_in();
        }
        // The switch is here, so it is never gone.
        if told.changed().await.is_err() {
            return;
        }
    }
}
