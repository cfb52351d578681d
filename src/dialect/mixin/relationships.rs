//! Friends and blocked accounts, and how they show in what is told of an account.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::types::{
    ChangeRelationship, Data, ErrorBody, Relationship, RelationshipAction, User,
};

use super::MixinState;
use super::answer::{self, Answer};
use super::request::SignedRequest;
use super::users::user;
use crate::domain::account::Account;
use crate::domain::error::Fault;
use crate::domain::relationship::{Relation, RelationChange};
use crate::domain::session::Scope;

/// Change a relationship
///
/// What another account is to the caller: `ADD` makes it a friend, `REMOVE` undoes that; `BLOCK` has
/// its messages to the caller rejected at once, and `UNBLOCK` undoes that. Messages to a group that
/// both take part in are not affected. A signed token is accepted once.
#[utoipa::path(
    post,
    path = "/relationships",
    operation_id = "change_relationship",
    tag = "users",
    request_body(content = ChangeRelationship),
    responses(
        (status = 200, body = Data<User>, description = "The other account, as the caller sees it now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such account"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn change(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Send)?;
    let body: ChangeRelationship = request.json()?;
    request.once(&state).await?;
    let owner = &request.caller.owner.account;
    let change = match body.action {
        RelationshipAction::Add => RelationChange::Set(Relation::Friend),
        RelationshipAction::Remove => RelationChange::Clear(Relation::Friend),
        RelationshipAction::Block => RelationChange::Set(Relation::Blocked),
        RelationshipAction::Unblock => RelationChange::Clear(Relation::Blocked),
    };
    let other = state.gateway.change_relation(owner, body.user_id, change).await?;
    let shown = shown(&state, owner, &[other]).await?.pop();
    Ok(answer::data(shown.ok_or(Fault::NotFound { what: "user" })?))
}

/// List friends
///
/// The accounts that the caller has added, the latest first, a thousand at most.
#[utoipa::path(
    get,
    path = "/friends",
    operation_id = "list_friends",
    tag = "users",
    responses(
        (status = 200, body = Data<Vec<User>>, description = "The accounts"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn friends(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    list(&state, &request, Relation::Friend).await
}

/// List blocked accounts
///
/// The accounts that the caller has blocked, the latest first, a thousand at most.
#[utoipa::path(
    get,
    path = "/blocking_users",
    operation_id = "list_blocked",
    tag = "users",
    responses(
        (status = 200, body = Data<Vec<User>>, description = "The accounts"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn blocking(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    list(&state, &request, Relation::Blocked).await
}

async fn list(state: &MixinState, request: &SignedRequest, relation: Relation) -> Answer {
    request.caller.require(Scope::Read)?;
    let owner = request.caller.owner.account.number;
    let accounts = state.gateway.related(owner, relation).await?;
    let users = accounts.iter().map(|account| user(account, in_words(relation)));
    Ok(answer::data(users.collect::<Vec<_>>()))
}

/// Accounts, as `viewer` sees them.
///
/// # Errors
/// Only when the store fails.
pub async fn shown(
    state: &MixinState,
    viewer: &Account,
    accounts: &[Account],
) -> Result<Vec<User>, Fault> {
    let numbers: Vec<_> = accounts.iter().map(|account| account.number).collect();
    let relations = state.gateway.store.relations(viewer.number, &numbers).await?;
    let relations: HashMap<_, _> = relations.into_iter().collect();
    let relationship = |account: &Account| match relations.get(&account.number) {
        _ if account.number == viewer.number => Relationship::Me,
        Some(relation) => in_words(*relation),
        None => Relationship::Stranger,
    };
    Ok(accounts.iter().map(|account| user(account, relationship(account))).collect())
}

fn in_words(relation: Relation) -> Relationship {
    match relation {
        Relation::Friend => Relationship::Friend,
        Relation::Blocked => Relationship::Blocking,
    }
}
