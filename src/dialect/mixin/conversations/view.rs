//! A conversation as one of its participants is shown it.

use sealpost_sdk::types::{Conversation, ObjectType, Participant, ParticipantSession};

use super::super::MixinState;
use super::super::answer::{self, Answer};
use super::super::request::SignedRequest;
use crate::domain::conversation::{self, ConversationCategory};
use crate::domain::error::Fault;
use crate::domain::ids::UserId;

/// The answer to the caller. Who has just left is not shown what belongs to the participants.
pub(super) async fn shown(
    state: &MixinState,
    request: &SignedRequest,
    found: &conversation::Conversation,
) -> Answer {
    Ok(answer::data(view(state, request, found).await?))
}

/// A conversation as the caller may see it.
pub(super) async fn view(
    state: &MixinState,
    request: &SignedRequest,
    found: &conversation::Conversation,
) -> Result<Conversation, Fault> {
    let me = found.participant(request.caller.owner.account.id);
    let (sessions, code_id) = match me {
        Some(_) => (sessions(state, request, found).await?, found.code),
        None => (Vec::new(), None),
    };
    let now = state.gateway.clock.now();
    let mute_until = me.and_then(|me| me.muted_until).filter(|until| *until > now);
    let participants = found.participants.iter().map(|one| Participant {
        kind: ObjectType::Participant,
        user_id: one.user,
        role: one.role.to_wire().to_owned(),
        created_at: one.joined_at.to_string(),
    });
    let prefix = &state.settings.path_prefix;
    let code_url = code_id.map(|code| format!("{prefix}/conversations/{code}/join"));
    Ok(Conversation {
        kind: ObjectType::Conversation,
        conversation_id: found.id,
        creator_id: found.creator,
        category: match found.category {
            ConversationCategory::Contact => "CONTACT".to_owned(),
            ConversationCategory::Group => "GROUP".to_owned(),
        },
        name: found.name.clone(),
        icon_url: String::new(),
        announcement: found.announcement.clone(),
        created_at: found.created_at.to_string(),
        code_id: code_id.map(|code| code.to_string()).unwrap_or_default(),
        code_url: code_url.unwrap_or_default(),
        mute_until: mute_until.map(|until| until.to_string()).unwrap_or_default(),
        expire_in: found.expire_in,
        participants: participants.collect(),
        participant_sessions: sessions,
        circles: Vec::new(),
    })
}

/// The live devices of everybody, the asking one left out.
async fn sessions(
    state: &MixinState,
    request: &SignedRequest,
    found: &conversation::Conversation,
) -> Result<Vec<ParticipantSession>, Fault> {
    let users: Vec<UserId> = found.participants.iter().map(|one| one.user).collect();
    let mut rosters = state.gateway.store.rosters(&users).await?;
    rosters.sort_unstable_by_key(|roster| roster.user);
    let viewer = request.caller.owner.session.id;
    let sessions = rosters.iter().flat_map(|roster| {
        roster.members.iter().map(|member| ParticipantSession {
            kind: ObjectType::ParticipantSession,
            user_id: roster.user,
            session_id: member.session,
            public_key: member.key.to_base64(),
        })
    });
    Ok(sessions.filter(|one| one.session_id != viewer).collect())
}
