use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, ConversationNumber};

const OWNER: u8 = 1;
const ADMIN: u8 = 2;
const OTHER_ADMIN: u8 = 3;
const MEMBER: u8 = 4;
const OTHER_MEMBER: u8 = 5;
const OUTSIDER: u8 = 9;

const LIMIT: u32 = 6;

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn number(n: u8) -> AccountNumber {
    AccountNumber(n.into())
}

fn actor(n: u8) -> Actor {
    Actor { account: number(n), user: user(n) }
}

fn code() -> CodeId {
    CodeId::from_bytes([7; 16])
}

/// The later ones joined later.
fn group() -> Conversation {
    let roles = [
        (OWNER, Role::Owner),
        (ADMIN, Role::Admin),
        (OTHER_ADMIN, Role::Admin),
        (MEMBER, Role::Member),
        (OTHER_MEMBER, Role::Member),
    ];
    let participants = roles.map(|(n, role)| Participant {
        account: number(n),
        user: user(n),
        role,
        joined_at: Timestamp::from_micros(n.into()),
        muted_until: None,
    });
    Conversation {
        number: ConversationNumber(1),
        id: ConversationId::from_bytes([8; 16]),
        category: ConversationCategory::Group,
        creator: user(OWNER),
        created_at: Timestamp::from_micros(1),
        generation: 3,
        name: "Team".into(),
        announcement: String::new(),
        code: Some(code()),
        expire_in: 0,
        participants: participants.into(),
    }
}

fn add(n: u8, role: Role) -> Wish {
    Wish::Add(vec![Candidate { account: number(n), user: user(n), role }])
}

fn describe(name: &str) -> Wish {
    Wish::Describe { name: Some(name.into()), announcement: None }
}

fn made(found: &Conversation, who: u8, wish: &Wish) -> Plan {
    plan(found, actor(who), wish, LIMIT).unwrap().unwrap()
}

/// What is told to whom, in short.
fn told(plan: &Plan) -> Vec<(ConversationAction, Option<UserId>, Vec<i64>)> {
    let short = |news: &News| {
        (news.action, news.participant, news.readers.iter().map(|reader| reader.0).collect())
    };
    plan.news.iter().map(short).collect()
}

#[test]
fn rights_follow_roles() {
    // What is wished, and who of owner, admin, member and outsider may.
    let table = [
        (add(OUTSIDER + 1, Role::Member), "oa.."),
        (add(OUTSIDER + 1, Role::Admin), "o..."),
        (Wish::Remove(vec![user(OTHER_MEMBER)]), "oa.."),
        (Wish::Remove(vec![user(OTHER_ADMIN)]), "o..."),
        (Wish::Roles(vec![(user(OTHER_MEMBER), Role::Admin)]), "o..."),
        (Wish::Roles(vec![(user(OTHER_ADMIN), Role::Member)]), "o..."),
        (describe("Other"), "oa.."),
        (Wish::Rotate(CodeId::from_bytes([1; 16])), "oa.."),
        (Wish::ExpireIn(60), "oa.."),
        (Wish::Exit, "oam."),
        (Wish::Join(code()), "oamx"),
    ];
    for (wish, expected) in table {
        let may = |(who, mark)| match plan(&group(), actor(who), &wish, LIMIT) {
            Ok(_) => mark,
            Err(Fault::Forbidden { .. }) => '.',
            Err(fault) => panic!("{wish:?}: {fault}"),
        };
        let marks = [(OWNER, 'o'), (ADMIN, 'a'), (MEMBER, 'm'), (OUTSIDER, 'x')].map(may);
        assert_eq!(String::from_iter(marks), expected, "{wish:?}");
    }
}

#[test]
fn nobody_removes_the_owner_and_everybody_leaves_by_exit() {
    let remove = |who, whom| plan(&group(), actor(who), &Wish::Remove(vec![user(whom)]), LIMIT);
    assert!(matches!(remove(ADMIN, OWNER), Err(Fault::Forbidden { .. })));
    assert!(matches!(remove(ADMIN, OTHER_ADMIN), Err(Fault::Forbidden { .. })));
    assert!(matches!(remove(ADMIN, ADMIN), Err(Fault::Invalid { .. })));
    assert!(matches!(remove(OWNER, OWNER), Err(Fault::Invalid { .. })));
}

#[test]
fn a_role_goes_to_participants_once_and_never_to_the_owner() {
    let roles = |list: Vec<(UserId, Role)>| plan(&group(), actor(OWNER), &Wish::Roles(list), LIMIT);
    let complaint = |list| roles(list).unwrap_err().to_string();
    assert!(complaint(vec![(user(OUTSIDER), Role::Admin)]).starts_with("[0].user_id"));
    assert!(complaint(vec![(user(OWNER), Role::Member)]).starts_with("[0].user_id"));
    let member = (user(MEMBER), Role::Admin);
    assert!(complaint(vec![member, member]).starts_with("[1].user_id"));
    assert!(complaint(vec![(user(MEMBER), Role::Owner)]).starts_with("[0].user_id"));
}

#[test]
fn a_wish_that_is_fulfilled_changes_nothing() {
    let wishes = [
        add(MEMBER, Role::Member),
        Wish::Remove(vec![user(OUTSIDER)]),
        Wish::Roles(vec![(user(ADMIN), Role::Admin)]),
        Wish::Join(code()),
        Wish::Describe { name: Some("Team".into()), announcement: None },
        Wish::ExpireIn(0),
    ];
    for wish in wishes {
        assert_eq!(plan(&group(), actor(OWNER), &wish, LIMIT).unwrap(), None, "{wish:?}");
    }
}

#[test]
fn who_comes_and_who_goes_is_told_of_itself_alone() {
    let new = |n| Candidate { account: number(n), user: user(n), role: Role::Member };
    let two = Wish::Add(vec![new(10), new(10), new(11)]);
    let added = plan(&group(), actor(ADMIN), &two, 7).unwrap().unwrap();
    assert_eq!(added.edits.add.len(), 2);
    assert_eq!(
        told(&added),
        [
            (ConversationAction::Add, Some(user(10)), vec![1, 2, 3, 4, 5, 10]),
            (ConversationAction::Add, Some(user(11)), vec![1, 2, 3, 4, 5, 11]),
        ]
    );
    let both = Wish::Remove(vec![user(MEMBER), user(OTHER_MEMBER), user(MEMBER)]);
    let removed = made(&group(), ADMIN, &both);
    assert_eq!(removed.edits.remove, [number(MEMBER), number(OTHER_MEMBER)]);
    assert_eq!(
        told(&removed),
        [
            (ConversationAction::Remove, Some(user(MEMBER)), vec![1, 2, 3, 4]),
            (ConversationAction::Remove, Some(user(OTHER_MEMBER)), vec![1, 2, 3, 5]),
        ]
    );
}

#[test]
fn a_group_takes_no_more_than_its_limit() {
    let new = |n| Candidate { account: number(n), user: user(n), role: Role::Member };
    assert!(plan(&group(), actor(OWNER), &Wish::Add(vec![new(10)]), LIMIT).is_ok());
    let two = plan(&group(), actor(OWNER), &Wish::Add(vec![new(10), new(11)]), LIMIT);
    assert!(matches!(two, Err(Fault::GroupFull { limit: LIMIT })));
    let joined = plan(&group(), actor(OUTSIDER), &Wish::Join(code()), 5);
    assert!(matches!(joined, Err(Fault::GroupFull { limit: 5 })));
}

#[test]
fn another_code_opens_nothing() {
    let wish = Wish::Join(CodeId::from_bytes([1; 16]));
    let joined = plan(&group(), actor(OUTSIDER), &wish, LIMIT);
    assert!(matches!(joined, Err(Fault::NotFound { what: "code" })));
}

#[test]
fn the_owner_is_followed_by_the_oldest_admin_or_else_the_oldest_member() {
    let mut found = group();
    let plan = made(&found, OWNER, &Wish::Exit);
    assert_eq!(plan.edits.roles, [(number(ADMIN), Role::Owner)]);
    assert_eq!(
        told(&plan),
        [
            (ConversationAction::Exit, Some(user(OWNER)), vec![1, 2, 3, 4, 5]),
            (ConversationAction::Role, Some(user(ADMIN)), vec![2, 3, 4, 5]),
        ]
    );
    found.participants.retain(|it| it.role != Role::Admin);
    let plan = made(&found, OWNER, &Wish::Exit);
    assert_eq!(plan.edits.roles, [(number(MEMBER), Role::Owner)]);
    found.participants.truncate(1);
    let plan = made(&found, OWNER, &Wish::Exit);
    assert_eq!((plan.edits.roles.len(), plan.edits.code), (0, CodeEdit::Void));
}

#[test]
fn a_contact_conversation_can_expire_messages_and_nothing_else() {
    let mut contact = group();
    contact.category = ConversationCategory::Contact;
    contact.participants.retain(|it| it.role == Role::Member);
    assert_eq!(made(&contact, MEMBER, &Wish::ExpireIn(60)).edits.expire_in, Some(60));
    for wish in [Wish::Exit, add(9, Role::Member), describe("x"), Wish::Rotate(code())] {
        let refused = plan(&contact, actor(MEMBER), &wish, LIMIT);
        assert!(matches!(refused, Err(Fault::Forbidden { .. })), "{wish:?}");
    }
}
