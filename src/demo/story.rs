//! What happens, act by act.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout};

use super::DemoError;
use super::cast::{Cast, DEVICES, Person};
use super::print::{self, Stage};
use crate::sdk::client::{Bot, ItemOutcome, Message, Outcome, Text};

/// Messages in one batch.
const BATCH: usize = 100;

/// Stands in every text, so that plaintext in a file would be found.
const PHRASE: &str = "sunny with a light breeze";

/// How long a device may take to read what waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Anna's tablet is the device that signs in again.
const TABLET: usize = 1;

/// Plays all acts.
pub async fn tell(cast: &mut Cast, stage: Stage) -> Result<(), DemoError> {
    stage.cast(cast);
    stage.act("The bot posts a batch of 100 encrypted messages, 50 for each person.");
    broadcast(cast, stage).await?;
    read_all(cast, stage).await?;

    stage.act("Anna signs in again on her tablet. The bot does not know yet.");
    let old_tablet = sign_in_again(cast, stage).await?;

    stage.act("The bot posts the next 100, sealed for the sessions that it remembers.");
    broadcast(cast, stage).await?;
    show_refresh(cast, stage)?;
    read_all(cast, stage).await?;
    match old_tablet.me().await {
        Ok(_) => Err(DemoError::Surprise("a revoked session was let in".to_owned())),
        Err(error) if error.status() == Some(401) => {
            stage.line("the tablet's old session is turned away with 401");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn broadcast(cast: &Cast, stage: Stage) -> Result<(), DemoError> {
    let people = cast.people.iter().cycle().take(BATCH);
    let messages = people.enumerate().map(|(number, person)| {
        Message::to(&person.user, Text::new(format!("{number}: {PHRASE}, {}", person.name)))
    });
    let start = Instant::now();
    let outcomes = cast.bot.send_all(messages).await;
    let took = start.elapsed();
    let slices = slices(&outcomes)?;
    stage.line(&format!(
        "{} of {BATCH} are on disk as {slices} slices, one for each device, after {}",
        outcomes.len(),
        print::time(took),
    ));
    Ok(())
}

/// How many slices were made of the messages; an error if one of them was not delivered.
fn slices(outcomes: &[ItemOutcome]) -> Result<usize, DemoError> {
    let mut count = 0;
    for item in outcomes {
        match &item.result {
            Ok(Outcome::Delivered { sessions }) => count += sessions.len(),
            Ok(other) => {
                let what = format!("message {} ended as {other:?}", item.message_id);
                return Err(DemoError::Surprise(what));
            }
            Err(error) => return Err(error.clone().into()),
        }
    }
    Ok(count)
}

/// Every device reads and opens what waits for it: half a batch each.
async fn read_all(cast: &Cast, stage: Stage) -> Result<(), DemoError> {
    let start = Instant::now();
    let readers = cast.people.iter().flat_map(|person| {
        person.devices.iter().zip(DEVICES).map(|(device, name)| read(person, device, name))
    });
    let opened: usize = try_join_all(readers).await?.into_iter().sum();
    let devices: usize = cast.people.iter().map(|person| person.devices.len()).sum();
    let expected = BATCH / cast.people.len() * devices;
    if opened != expected {
        return Err(DemoError::Surprise(format!("{opened} of {expected} slices were opened")));
    }
    stage.line(&format!(
        "{devices} devices opened {opened} of {expected} slices in {}",
        print::time(start.elapsed()),
    ));
    Ok(())
}

async fn read(person: &Person, device: &Bot, device_name: &str) -> Result<usize, DemoError> {
    let mut messages = device.messages();
    let mut opened = 0;
    let reading = async {
        while opened < BATCH / 2 {
            let Some(message) = messages.next().await else { break };
            let message = message?;
            let is_whole = message
                .text()
                .is_some_and(|text| text.contains(PHRASE) && text.ends_with(person.name));
            if !is_whole {
                let what = format!("{}'s {device_name} read another text", person.name);
                return Err(DemoError::Surprise(what));
            }
            opened += 1;
        }
        Ok(())
    };
    let late = format!("{}'s {device_name} waited too long", person.name);
    timeout(PATIENCE, reading).await.map_err(|_| DemoError::Surprise(late))??;
    messages.close().await?;
    Ok(opened)
}

/// Gives Anna's tablet a new session in the place of its old one, which is returned.
async fn sign_in_again(cast: &mut Cast, stage: Stage) -> Result<Bot, DemoError> {
    let key = cast.fresh_key();
    let missing = || DemoError::Surprise("Anna has no tablet".to_owned());
    let anna = cast.people.first_mut().ok_or_else(missing)?;
    let tablet = anna.devices.get_mut(TABLET).ok_or_else(missing)?;
    let added = tablet.replace_session(&key, "tablet").await?;
    let new = Bot::builder(added.keystore).build()?;
    let old = std::mem::replace(tablet, new);
    stage.line(&format!(
        "session {} is revoked, session {} takes its place",
        print::short(old.session_id()),
        print::short(tablet.session_id()),
    ));
    Ok(old)
}

/// Shows what the gateway answered to the messages that were sealed for the old list.
fn show_refresh(cast: &Cast, stage: Stage) -> Result<(), DemoError> {
    let refreshed = cast.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(first) = refreshed.first() else {
        return Err(DemoError::Surprise("no message met the stale list".to_owned()));
    };
    stage.line(&format!(
        "on the way, {} messages for Anna came back: their checksum was of an old list",
        refreshed.len(),
    ));
    let ids = |ids: &[_]| ids.iter().copied().map(print::short).collect::<Vec<_>>().join(", ");
    stage.line(&format!("  the fresh list came with them: {}", ids(&first.sessions)));
    stage.line(&format!(
        "  missing from the envelope {}, no longer signed in {}",
        ids(&first.missing),
        ids(&first.deleted),
    ));
    stage.line("  the bot sealed those messages again and sent them again, under the same ids");
    Ok(())
}

/// Looks through everything that the gateway has written.
pub fn search_for_plaintext(data: &Path, stage: Stage) -> Result<(), DemoError> {
    stage.act("What does the gateway know?");
    let mut searched = 0;
    for entry in fs::read_dir(data).map_err(DemoError::Files)? {
        let path = entry.map_err(DemoError::Files)?.path();
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(DemoError::Files)?;
        searched += bytes.len();
        if bytes.windows(PHRASE.len()).any(|window| window == PHRASE.as_bytes()) {
            return Err(DemoError::Surprise(format!("plaintext stands in {}", path.display())));
        }
    }
    stage.line(&format!(
        "the messages' words are nowhere in the {searched} bytes that it has written"
    ));
    Ok(())
}
