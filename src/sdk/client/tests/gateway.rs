//! How the gateway in miniature answers.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::stand_in::{Reply, Request};
use super::world::{Device, Fault, State};
use crate::checksum::session_checksum;
use crate::ids::{SessionId, UserId};
use crate::keys::SigningKey;
use crate::token;
use crate::types::{Acknowledgement, CheckItem, OutgoingMessage, SessionInfo};

impl State {
    /// Sixteen bytes that nothing else has.
    pub(super) fn fresh(&mut self) -> [u8; 16] {
        self.next_number += 1;
        let mut bytes = [0x40; 16];
        bytes[..2].copy_from_slice(&self.next_number.to_be_bytes());
        bytes
    }

    pub(super) fn device(&mut self) -> Device {
        let bytes = self.fresh();
        let mut seed = [0x40; 32];
        seed[..16].copy_from_slice(&bytes);
        Device { session: SessionId::from_bytes(bytes), key: SigningKey::from_seed(&seed) }
    }

    /// The first device signs in again: a new session in place of the old one.
    pub(super) fn sign_in_again(&mut self, user: UserId) {
        let device = self.device();
        self.accounts.get_mut(&user).unwrap()[0] = device;
    }

    fn sessions(&self, user: UserId) -> Vec<SessionInfo> {
        let devices = self.accounts.get(&user).into_iter().flatten();
        let info = |device: &Device| {
            let key = device.key.verifying_key().agreement_key();
            let mut info = SessionInfo::new(user, device.session, &key, "test");
            if let Some(other) = self.published.get(&device.session) {
                info.public_key.clone_from(other);
            }
            info
        };
        devices.map(info).collect()
    }

    fn receipt(&mut self, item: OutgoingMessage) -> Value {
        let recipient = item.recipient_id.unwrap();
        let mut receipt = json!({
            "type": "message", "message_id": item.message_id, "recipient_id": recipient,
            "state": "FAILED", "sessions": [],
        });
        if let Some(receipt) = self.receipts.get(&item.message_id) {
            return receipt.clone();
        }
        let accepted = self.accepted.iter().find(|known| known.message_id == item.message_id);
        if let Some(known) = accepted {
            if known.data_base64 == item.data_base64 {
                receipt["state"] = "SUCCESS".into();
                receipt["outcome"] = "duplicate".into();
            } else {
                receipt["outcome"] = "rejected".into();
                receipt["error"] = json!({
                    "status": 422, "code": 10002, "description": "invalid field",
                    "extra": {"field": "message_id", "reason": "message_id_used"},
                });
            }
            return receipt;
        }
        let sessions = self.sessions(recipient);
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        if sessions.is_empty() {
            receipt["outcome"] = "recipient_gone".into();
        } else if item.checksum == checksum {
            receipt["state"] = "SUCCESS".into();
            receipt["outcome"] = "accepted".into();
            self.accepted.push(item);
        } else {
            receipt["outcome"] = "stale_sessions".into();
        }
        receipt["sessions"] = serde_json::to_value(sessions).unwrap();
        receipt
    }

    fn check_token(&self, request: &Request) {
        let bearer = request.headers["authorization"].strip_prefix("Bearer ").unwrap();
        if bearer.starts_with("spt_") {
            return;
        }
        let unverified = token::Unverified::parse(bearer).unwrap();
        let claims = unverified.claims().clone();
        let device = self.accounts[&claims.uid].iter().find(|device| device.session == claims.sid);
        unverified.verify(&device.unwrap().key.verifying_key()).unwrap();
        let digest = token::body_digest(&request.method, &request.path, &request.body);
        assert_eq!(claims.sig, digest, "the token is for another request");
    }

    fn answer(&mut self, request: &Request) -> Value {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/encrypted_messages") => {
                let items: Vec<OutgoingMessage> = serde_json::from_slice(&request.body).unwrap();
                assert!(items.len() <= 100, "a batch of {}", items.len());
                items.into_iter().map(|item| self.receipt(item)).collect()
            }
            ("POST", "/sessions/fetch") => {
                let users: Vec<UserId> = serde_json::from_slice(&request.body).unwrap();
                assert!(users.len() <= 500, "{} accounts at once", users.len());
                let sessions: Vec<SessionInfo> =
                    users.into_iter().flat_map(|user| self.sessions(user)).collect();
                serde_json::to_value(sessions).unwrap()
            }
            ("POST", "/sessions/check") => {
                let items: Vec<CheckItem> = serde_json::from_slice(&request.body).unwrap();
                items.iter().filter_map(|item| self.check(item)).collect()
            }
            ("POST", "/users/fetch") => {
                let users: Vec<UserId> = serde_json::from_slice(&request.body).unwrap();
                let known = |user: &UserId| self.accounts.contains_key(user);
                let account = |user| json!({"type": "user", "user_id": user});
                users.into_iter().filter(known).map(account).collect()
            }
            ("POST", "/acknowledgements") => {
                let items: Vec<Acknowledgement> = serde_json::from_slice(&request.body).unwrap();
                self.acknowledged.extend(items.iter().map(|item| item.message_id));
                serde_json::to_value(items).unwrap()
            }
            ("DELETE", _) => Value::Null,
            ("POST", "/sessions") => {
                let mut answer: Value = serde_json::from_slice(&request.body).unwrap();
                answer["user_id"] = json!(self.accounts.keys().next());
                answer["session_id"] = json!(SessionId::from_bytes([0xaa; 16]));
                answer
            }
            (method, path) => panic!("unexpected request {method} {path}"),
        }
    }

    fn check(&self, item: &CheckItem) -> Option<Value> {
        let sessions = self.sessions(item.user_id);
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        let answer = json!({"user_id": item.user_id, "checksum": checksum, "sessions": sessions});
        (checksum != item.checksum).then_some(answer)
    }
}

pub(super) async fn respond(state: &Mutex<State>, changed: &Notify, request: Request) -> Reply {
    let path = request.path.split('?').next().unwrap().to_owned();
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        state.check_token(&request);
        state.faults.get_mut(path.as_str()).and_then(VecDeque::pop_front)
    };
    changed.notify_waiters();
    let mut lost = false;
    match fault {
        None => {}
        Some(Fault::HangUp) => return Reply::HangUp,
        Some(Fault::Silence) => return Reply::Silence,
        Some(Fault::Answer { status, headers, body }) => {
            return Reply::Answer { status, headers, body };
        }
        Some(Fault::LostAnswer) => lost = true,
        Some(Fault::SignIn(user)) => state.lock().unwrap().sign_in_again(user),
    }
    let data = match path.as_str() {
        "/inbox" => poll(state, changed).await,
        "/encrypted_messages" => {
            hold(state, changed).await;
            let mut state = state.lock().unwrap();
            let data = state.answer(&request);
            state.under_way -= 1;
            data
        }
        _ => state.lock().unwrap().answer(&request),
    };
    changed.notify_waiters();
    if lost {
        return Reply::HangUp;
    }
    let request_id = request.headers["x-request-id"].clone();
    let body = json!({ "data": data }).to_string();
    Reply::Answer { status: 200, headers: vec![("X-Request-Id", request_id)], body }
}

/// As a gateway does it: an empty poll stays open until something comes.
async fn poll(state: &Mutex<State>, changed: &Notify) -> Value {
    loop {
        let something = changed.notified();
        if let Some(items) = state.lock().unwrap().polls.pop_front() {
            return items.into();
        }
        something.await;
    }
}

/// Keeps a post waiting until enough of them are under way.
async fn hold(state: &Mutex<State>, changed: &Notify) {
    {
        let mut state = state.lock().unwrap();
        state.under_way += 1;
        state.most_under_way = state.most_under_way.max(state.under_way);
    }
    loop {
        let something = changed.notified();
        {
            let mut state = state.lock().unwrap();
            if state.under_way >= state.hold_until {
                state.hold_until = 0;
                changed.notify_waiters();
                return;
            }
        }
        something.await;
    }
}
