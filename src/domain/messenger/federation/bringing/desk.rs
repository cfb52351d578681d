//! Which line leaves next, and which gateways have not answered lately.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Line, pause_after};

/// Lines on their way at the same time.
const AT_ONCE: usize = 16;

/// How many of these are for gateways of which nobody knows whether they answer; each has one.
const IN_DOUBT: usize = 8;

/// Lines on their way to one gateway that answers.
const FOR_ONE: usize = 4;

/// Gateways that are remembered.
const REMEMBERED: usize = 10_000;

/// Lines that wait for a place, and those that have one.
#[derive(Default)]
pub(super) struct Desk {
    waiting: VecDeque<Line>,
    on_way: HashMap<NodeId, usize>,
    nodes: HashMap<NodeId, Standing>,
}

/// What is known of a gateway.
#[derive(Clone, Copy)]
enum Standing {
    Answers,
    Silent { times: u32, until: Timestamp },
}

impl Desk {
    /// Lines that wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// More of them.
    pub(super) fn add(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.waiting.extend(lines);
    }

    /// The next line that has a place.
    pub(super) fn start(&mut self) -> Option<Line> {
        if self.on_way.values().sum::<usize>() >= AT_ONCE {
            return None;
        }
        let in_doubt: usize =
            self.on_way.iter().filter(|(node, _)| !self.answers(node)).map(|(_, it)| it).sum();
        let has_place = |line: &Line| {
            let own = self.on_way.get(&line.node).copied().unwrap_or_default();
            match self.answers(&line.node) {
                true => own < FOR_ONE,
                false => own == 0 && in_doubt < IN_DOUBT,
            }
        };
        let place = self.waiting.iter().position(has_place)?;
        let line = self.waiting.remove(place)?;
        *self.on_way.entry(line.node.clone()).or_default() += 1;
        Some(line)
    }

    fn answers(&self, node: &NodeId) -> bool {
        matches!(self.nodes.get(node), Some(Standing::Answers))
    }

    /// A line is not on its way any more; its gateway answers.
    pub(super) fn answered(&mut self, node: &NodeId) {
        self.is_back(node);
        self.know(node, Standing::Answers);
    }

    /// A line is not on its way any more; its gateway does not answer, and is left alone until then,
    /// for so long at least.
    pub(super) fn was_silent(
        &mut self,
        node: &NodeId,
        now: Timestamp,
        at_least: Duration,
    ) -> Timestamp {
        self.is_back(node);
        self.waiting.retain(|line| line.node != *node);
        let times = match self.nodes.get(node) {
            // That is the same silence.
            Some(Standing::Silent { until, .. }) if now < *until => return *until,
            Some(Standing::Silent { times, .. }) => times.saturating_add(1),
            Some(Standing::Answers) | None => 1,
        };
        let until = now.plus(pause_after(times).max(at_least));
        self.know(node, Standing::Silent { times, until });
        until
    }

    fn is_back(&mut self, node: &NodeId) {
        if let Some(own) = self.on_way.get_mut(node) {
            *own = own.saturating_sub(1);
        }
        self.on_way.retain(|_, own| *own > 0);
    }

    fn know(&mut self, node: &NodeId, standing: Standing) {
        if self.nodes.len() >= REMEMBERED {
            self.nodes.clear();
        }
        self.nodes.insert(node.clone(), standing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SessionNumber;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn node(name: &str) -> NodeId {
        NodeId::parse(name).unwrap()
    }

    fn lines(name: &str, count: i64) -> impl Iterator<Item = Line> {
        (0..count).map(move |n| Line { sender: SessionNumber(n), node: node(name) })
    }

    fn started(desk: &mut Desk) -> Vec<String> {
        std::iter::from_fn(|| desk.start()).map(|line| line.node.to_string()).collect()
    }

    #[test]
    fn who_does_not_answer_has_one_place_and_few_in_all() {
        let mut desk = Desk::default();
        desk.add(lines("dead", 100));
        desk.add(lines("alive", 100));
        assert_eq!(started(&mut desk), ["dead", "alive"]);
        desk.answered(&node("alive"));
        assert_eq!(started(&mut desk), ["alive"; 4]);
        for n in 0..100 {
            desk.add(lines(&format!("unknown-{n}"), 1));
        }
        assert_eq!(started(&mut desk).len(), IN_DOUBT - 1);
        desk.answered(&node("alive"));
        assert_eq!(started(&mut desk), ["alive"]);
    }

    #[test]
    fn a_silence_grows_and_is_counted_once() {
        let mut desk = Desk::default();
        let dead = node("dead");
        let after = |seconds| NOW.plus(Duration::from_secs(seconds));
        desk.add(lines("dead", 9));
        assert_eq!(started(&mut desk).len(), 1);
        assert_eq!(desk.was_silent(&dead, NOW, Duration::ZERO), after(20));
        assert_eq!(desk.waiting(), 0, "they come again when they are due");
        assert_eq!(desk.was_silent(&dead, after(19), Duration::ZERO), after(20));
        assert_eq!(desk.was_silent(&dead, after(20), Duration::ZERO), after(60));
        assert_eq!(desk.was_silent(&dead, after(60), Duration::from_secs(90)), after(150));
        desk.answered(&dead);
        assert_eq!(desk.was_silent(&dead, after(200), Duration::ZERO), after(220));
    }
}
