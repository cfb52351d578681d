//! How the gateway in miniature answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::socket;
use super::stand_in::{Reply, Request};
use super::world::{Device, Fault, State};
use crate::checksum::session_checksum;
use crate::ids::{AttachmentId, ConversationId, SessionId, UserId};
use crate::keys::SigningKey;
use crate::token;
use crate::types::{
    Acknowledgement, CheckItem, CreateConversation, NewParticipant, OutgoingMessage, SessionInfo,
    TopUp,
};

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

    fn receipt(&mut self, item: OutgoingMessage, deliver_known: bool) -> Value {
        let recipient = item.recipient_id;
        let named = recipient.map(|user| user.to_string()).unwrap_or_default();
        let mut receipt = json!({
            "type": "message", "message_id": item.message_id, "recipient_id": named,
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
        let sessions = match recipient {
            Some(recipient) => self.sessions(recipient),
            None => self.roster_of_others(item.conversation_id),
        };
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        let covered: Vec<SessionId> =
            item.recipient_sessions.iter().map(|one| one.session_id).collect();
        let live = |session: &SessionId| sessions.iter().any(|info| info.session_id == *session);
        if sessions.is_empty() {
            receipt["outcome"] = "recipient_gone".into();
        } else if item.checksum == checksum {
            receipt["state"] = "SUCCESS".into();
            receipt["outcome"] = "accepted".into();
            self.accepted.push(item);
        } else if deliver_known && covered.iter().any(live) {
            receipt["state"] = "SUCCESS".into();
            receipt["outcome"] = "accepted".into();
            let ids = sessions.iter().map(|info| info.session_id);
            let missing: Vec<SessionId> = ids.filter(|id| !covered.contains(id)).collect();
            receipt["missing"] = json!(missing);
            self.missing = Some((item.conversation_id, recipient, missing));
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
        let path = request.path.split('?').next().unwrap();
        match (request.method.as_str(), path) {
            ("POST", "/encrypted_messages") => {
                let items: Vec<OutgoingMessage> = serde_json::from_slice(&request.body).unwrap();
                assert!(items.len() <= 100, "a batch of {}", items.len());
                let deliver_known = request.path.ends_with("?on_stale=deliver_known");
                items.into_iter().map(|item| self.receipt(item, deliver_known)).collect()
            }
            ("POST", path) if path.ends_with("/slots") => self.add_slots(&request.body),
            ("POST", "/conversations") => {
                let body: CreateConversation = serde_json::from_slice(&request.body).unwrap();
                let own = *self.accounts.keys().next().unwrap();
                let others = body.participants.iter().map(|one| one.user_id);
                let all = [own].into_iter().chain(others).collect();
                self.conversations.insert(body.conversation_id, all);
                self.conversation(body.conversation_id)
            }
            ("POST", path) if path.ends_with("/participants/ADD") => {
                let id = ConversationId::parse(path.split('/').nth(2).unwrap()).unwrap();
                let added: Vec<NewParticipant> = serde_json::from_slice(&request.body).unwrap();
                let all = self.conversations.get_mut(&id).unwrap();
                all.extend(added.iter().map(|one| one.user_id));
                self.conversation(id)
            }
            ("GET", path) if path.starts_with("/conversations/") => {
                let id = ConversationId::parse(path.split('/').nth(2).unwrap()).unwrap();
                self.conversation(id)
            }
            ("POST", "/attachments") => {
                let id = AttachmentId::from_bytes(self.fresh());
                self.blobs.insert(id, Vec::new());
                json!({"attachment_id": id, "upload_url": format!("/blobs/{id}?put"), "view_url": format!("/blobs/{id}")})
            }
            ("GET", path) if path.starts_with("/attachments/") => {
                let id = AttachmentId::parse(path.split('/').nth(2).unwrap()).unwrap();
                json!({"attachment_id": id, "view_url": format!("/blobs/{id}")})
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

pub(super) async fn respond(
    state: &Arc<Mutex<State>>,
    changed: &Arc<Notify>,
    request: Request,
) -> Reply {
    let path = request.path.split('?').next().unwrap().to_owned();
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        if !path.starts_with("/blobs/") {
            state.check_token(&request);
        }
        state.faults.get_mut(path.as_str()).and_then(VecDeque::pop_front)
    };
    changed.notify_waiters();
    let mut lost = false;
    match fault {
        None => {}
        Some(Fault::HangUp) => return Reply::HangUp,
        Some(Fault::Silence) => return Reply::Silence,
        Some(Fault::Answer { status, headers, body }) => {
            return Reply::Answer { status, headers, body: body.into() };
        }
        Some(Fault::LostAnswer) => lost = true,
        Some(Fault::SignIn(user)) => state.lock().unwrap().sign_in_again(user),
    }
    if request.headers.contains_key("upgrade") {
        let (state, changed) = (Arc::clone(state), Arc::clone(changed));
        return Reply::Socket(Box::new(|socket| socket::serve(state, changed, socket).boxed()));
    }
    if path.starts_with("/blobs/") {
        let reply = state.lock().unwrap().blob(&request);
        return if lost { Reply::HangUp } else { reply };
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
    let body = match data.get("error") {
        Some(_) => data,
        None => json!({ "data": data }),
    };
    let headers = vec![("X-Request-Id", request_id)];
    Reply::Answer { status: 200, headers, body: body.to_string().into() }
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

/// The checksum is not that of the conversation's sessions.
const CHECKSUM_INVALID: u32 = 20_140;

impl State {
    /// A message posted over a socket, for everyone in its conversation.
    pub(super) fn create(&mut self, params: &Value) -> Result<Value, Value> {
        let item: OutgoingMessage = serde_json::from_value(params.clone()).unwrap();
        let own = self.accounts.values().next().unwrap()[0].session;
        let mut sessions = self.roster(item.conversation_id);
        sessions.retain(|info| info.session_id != own);
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        if params["conversation_checksum"] != checksum.as_str() {
            let description = "the list of sessions is old";
            return Err(
                json!({"status": 202, "code": CHECKSUM_INVALID, "description": description}),
            );
        }
        let data = params.clone();
        self.accepted.push(item);
        Ok(data)
    }

    /// Slots for those who are missing, if the list is right.
    fn add_slots(&mut self, body: &[u8]) -> Value {
        let top_up: TopUp = serde_json::from_slice(body).unwrap();
        let (conversation, recipient, missing) = self.missing.clone().unwrap();
        let sessions = match recipient {
            Some(recipient) => self.sessions(recipient),
            None => self.roster_of_others(conversation),
        };
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        let mut receipt = json!({
            "type": "message", "message_id": "", "recipient_id": "", "sessions": sessions,
            "state": "SUCCESS", "outcome": "accepted",
        });
        assert!(top_up.slots.len() <= 510);
        if top_up.checksum != checksum {
            receipt["state"] = "FAILED".into();
            receipt["outcome"] = "stale_sessions".into();
            let has = |id: &SessionId| sessions.iter().any(|info| info.session_id == *id);
            receipt["missing"] = missing.iter().filter(|id| has(id)).map(|id| json!(id)).collect();
            return receipt;
        }
        let given = |id: &SessionId| top_up.slots.iter().any(|slot| slot.session_id == *id);
        let left: Vec<SessionId> = missing.into_iter().filter(|id| !given(id)).collect();
        receipt["missing"] = json!(left);
        self.missing = Some((conversation, recipient, left));
        self.slots.extend(top_up.slots);
        receipt
    }

    fn conversation(&self, id: ConversationId) -> Value {
        let Some(users) = self.conversations.get(&id) else {
            return json!({"error": {"status": 404, "code": 404, "description": "unknown"}});
        };
        let own = self.accounts.values().next().unwrap()[0].session;
        let mut sessions = self.roster(id);
        sessions.retain(|info| info.session_id != own);
        let participants: Vec<Value> = users.iter().map(|user| json!({"user_id": user})).collect();
        json!({
            "type": "conversation", "conversation_id": id, "creator_id": users[0],
            "category": "GROUP", "participants": participants, "participant_sessions": sessions,
        })
    }

    fn roster_of_others(&self, conversation: ConversationId) -> Vec<SessionInfo> {
        let own = *self.accounts.keys().next().unwrap();
        let mut sessions = self.roster(conversation);
        sessions.retain(|info| info.user_id != own);
        sessions
    }

    /// Takes and gives bytes, as a store of files does.
    fn blob(&mut self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let id = AttachmentId::parse(path.split('/').nth(2).unwrap()).unwrap();
        assert!(!request.headers.contains_key("authorization"), "the address is enough");
        let blob = self.blobs.get_mut(&id).unwrap();
        let mut body = Vec::new();
        match request.method.as_str() {
            "PUT" => {
                assert_eq!(request.headers["content-type"], "application/octet-stream");
                blob.clone_from(&request.body);
            }
            _ => body.clone_from(blob),
        }
        Reply::Answer { status: 200, headers: Vec::new(), body }
    }

    fn roster(&self, conversation: ConversationId) -> Vec<SessionInfo> {
        let users = self.conversations.get(&conversation).into_iter().flatten();
        users.flat_map(|user| self.sessions(*user)).collect()
    }
}
