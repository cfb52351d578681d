//! Signing up with an invitation of the operator.

use std::time::Duration;

use sealpost::config::dialects::SignUp;

use crate::harness::{Newcomer, TestApp};

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn by_invitation() -> TestApp {
    TestApp::start_with(|config| config.dialects.mixin.sign_up = SignUp::Invite).await
}

async fn invite(app: &TestApp, uses: u32) -> String {
    app.gateway().create_invite(uses, HOUR).await.unwrap().1
}

/// The status, and the reason if it is a refusal because of the invitation.
async fn outcome(app: &TestApp, newcomer: &Newcomer, code: &str) -> (u64, String) {
    let answer = newcomer.sign_up_with(app, &newcomer.body_with_invite(code)).await;
    if answer.json["error"].is_null() {
        return (200, String::new());
    }
    let (status, field, reason) = answer.complaint();
    assert_eq!(field, "invite", "{answer:?}");
    (status, reason.to_owned())
}

#[tokio::test]
async fn without_a_good_invitation_nobody_signs_up() {
    let app = by_invitation().await;
    let newcomer = Newcomer::new(&app);
    let missing = newcomer.sign_up(&app).await;
    assert_eq!((missing.complaint().0, missing.complaint().1), (403, "invite"));
    let (status, reason) = outcome(&app, &newcomer, "spi_unknown").await;
    assert_eq!((status, reason.as_str()), (403, "is unknown or was revoked"));
    let code = invite(&app, 1).await;
    app.clock.advance(HOUR);
    assert_eq!(outcome(&app, &newcomer, &code).await, (403, "has expired".to_owned()));
    let code = invite(&app, 1).await;
    assert_eq!(outcome(&app, &newcomer, &code).await.0, 200);
}

#[tokio::test]
async fn of_two_who_share_the_last_use_exactly_one_gets_in() {
    let app = by_invitation().await;
    let code = invite(&app, 1).await;
    let (one, other) = (Newcomer::new(&app), Newcomer::new(&app));
    let (first, second) = tokio::join!(outcome(&app, &one, &code), outcome(&app, &other, &code));
    let mut outcomes = [first, second];
    outcomes.sort();
    assert_eq!(outcomes, [(200, String::new()), (403, "is used up".to_owned())]);
}

#[tokio::test]
async fn a_repeated_sign_up_uses_an_invitation_once_even_across_a_restart() {
    let mut app = by_invitation().await;
    let code = invite(&app, 2).await;
    let newcomer = Newcomer::new(&app);
    let body = newcomer.body_with_invite(&code);
    let claims = newcomer.claims(&app, &body).await;
    let first = newcomer.post(&app, &body, &claims).await;
    app.restart().await;
    assert_eq!(newcomer.post(&app, &body, &claims).await.json, first.json);
    let invites = app.gateway().store.invites(None, 10).await.unwrap();
    assert_eq!((invites[0].used, invites[0].uses), (1, 2));
    assert_eq!(outcome(&app, &Newcomer::new(&app), &code).await.0, 200);
    assert_eq!(outcome(&app, &Newcomer::new(&app), &code).await.1, "is used up");
}

#[tokio::test]
async fn where_everybody_may_sign_up_an_invitation_is_not_used() {
    let app = TestApp::start_with(|config| config.dialects.mixin.sign_up = SignUp::Open).await;
    let code = invite(&app, 1).await;
    for _ in 0..2 {
        assert_eq!(outcome(&app, &Newcomer::new(&app), &code).await.0, 200);
    }
}
