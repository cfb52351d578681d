//! A group, and messages to it.

use sealpost::domain::conversation::Role;
use sealpost::domain::conversation::group::{GroupRequest, Named};
use sealpost::domain::conversation::plan::Wish;
use sealpost::domain::ids::{ConversationId, UserId};
use sealpost::domain::session::SessionOwner;
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::envelope::Recipient;
use serde_json::json;

use super::actor::message_id;
use super::{Actor, Item, Person, TestApp};

/// A group of somebody's.
pub struct Group {
    pub id: ConversationId,
}

async fn owner(app: &TestApp, actor: &Actor) -> SessionOwner {
    app.gateway().live_session(actor.session).await.unwrap().unwrap()
}

/// `creator` makes a group with these people.
pub async fn group(app: &TestApp, creator: &Actor, people: &[&Person]) -> Group {
    let gateway = app.gateway();
    let named = |person: &&Person| Named {
        user: person.user,
        role: Role::Member,
        field: "participants".to_owned(),
    };
    let request = GroupRequest {
        id: gateway.random_id(),
        name: "Team".to_owned(),
        announcement: String::new(),
        random_id: None,
        participants: people.iter().map(named).collect(),
    };
    let made = gateway.create_group(&owner(app, creator).await, &request).await.unwrap();
    Group { id: made.id }
}

impl Group {
    /// A message to all others, sealed for the devices of `people`.
    pub fn seal(&self, sender: &Actor, people: &[&Person], number: u8, text: &str) -> Item {
        let devices: Vec<_> = people.iter().flat_map(|person| person.recipients()).collect();
        self.seal_for(sender, &devices, number, text)
    }

    /// A message to all others, sealed for these devices.
    pub fn seal_for(&self, sender: &Actor, devices: &[Recipient], number: u8, text: &str) -> Item {
        json!({
            "conversation_id": self.id,
            "message_id": message_id(number),
            "category": "ENCRYPTED_TEXT",
            "data_base64": base64url::encode(&sender.envelope(devices, text)),
            "checksum": session_checksum(devices.iter().map(|one| one.session)).to_string(),
        })
    }

    /// `actor` removes somebody.
    pub async fn remove(&self, app: &TestApp, actor: &Actor, user: UserId) {
        let wish = Wish::Remove(vec![user]);
        app.gateway().change_conversation(&owner(app, actor).await, self.id, &wish).await.unwrap();
    }
}
