//! Contact conversations: the one between the caller and another account.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::{ConversationId, SessionId, UserId};
use sealpost_sdk::types::{
    Conversation, CreateConversation, Data, ErrorBody, ObjectType, Participant, ParticipantSession,
};

use super::MixinState;
use super::answer::{self, Answer};
use super::request::SignedRequest;
use super::sessions::path_id;
use crate::domain::conversation::{self, ConversationCategory, Role};
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Open a conversation
///
/// Makes the conversation of the caller and another account, or returns it when it exists. Its id
/// follows from the two accounts' ids and is checked. `POST /encrypted_messages` does the same by
/// itself, so a bot need not call this.
#[utoipa::path(
    post,
    path = "/conversations",
    operation_id = "create_conversation",
    tag = "conversations",
    request_body(content = CreateConversation),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "The other account is unknown"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn create(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Send)?;
    let body: CreateConversation = request.json()?;
    let creator = &request.caller.owner.account;
    if body.category != "CONTACT" {
        return Err(Fault::invalid("category", "must be CONTACT").into());
    }
    let mut others = body.participants.iter().map(|one| one.user_id);
    let other = others.find(|user| *user != creator.id);
    let other =
        other.ok_or_else(|| Fault::invalid("participants", "names nobody but the caller"))?;
    if others.any(|user| user != creator.id && user != other) {
        let reason = "names more than one account; a contact conversation has two sides";
        return Err(Fault::invalid("participants", reason).into());
    }
    let made = state.gateway.ensure_contact(creator, other, body.conversation_id).await?;
    Ok(answer::data(shown(&state, &request, &made).await?))
}

/// Read a conversation
///
/// Participants alone may read it. `participant_sessions` leaves the asking session out.
#[utoipa::path(
    get,
    path = "/conversations/{id}",
    operation_id = "read_conversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation"),
        (status = 403, body = ErrorBody, description = "The caller takes no part, or the API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "`id` is no conversation id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let id: ConversationId = path_id("id", &id)?;
    let found = state.gateway.conversation(request.caller.owner.account.id, id).await?;
    Ok(answer::data(shown(&state, &request, &found).await?))
}

async fn shown(
    state: &MixinState,
    request: &SignedRequest,
    found: &conversation::Conversation,
) -> Result<Conversation, Fault> {
    let users: Vec<UserId> = found.participants.iter().map(|one| one.user).collect();
    let rosters = state.gateway.store.rosters(&users).await?;
    let viewer: SessionId = request.caller.owner.session.id;
    let sessions = rosters.iter().flat_map(|roster| {
        roster.members.iter().map(|member| ParticipantSession {
            kind: ObjectType::ParticipantSession,
            user_id: roster.user,
            session_id: member.session,
            public_key: member.key.to_base64(),
        })
    });
    let participants = found.participants.iter().map(|one| Participant {
        kind: ObjectType::Participant,
        user_id: one.user,
        role: match one.role {
            Role::Member => String::new(),
            Role::Admin => "ADMIN".to_owned(),
            Role::Owner => "OWNER".to_owned(),
        },
        created_at: one.joined_at.to_string(),
    });
    Ok(Conversation {
        kind: ObjectType::Conversation,
        conversation_id: found.id,
        creator_id: found.creator,
        category: match found.category {
            ConversationCategory::Contact => "CONTACT".to_owned(),
            ConversationCategory::Group => "GROUP".to_owned(),
        },
        name: String::new(),
        icon_url: String::new(),
        announcement: String::new(),
        created_at: found.created_at.to_string(),
        code_id: String::new(),
        code_url: String::new(),
        mute_until: String::new(),
        expire_in: 0,
        participants: participants.collect(),
        participant_sessions: sessions.filter(|one| one.session_id != viewer).collect(),
        circles: Vec::new(),
    })
}
