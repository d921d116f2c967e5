//! A fake Slack, and a fake receiver of webhooks.

use crate::http::Message;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// A notice that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// The same on every attempt, and no other notice's.
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    /// Which of the processes, counted from 1, had sent it.
    pub(crate) life: usize,
}

/// Accepts and keeps what it gets, or answers as planned.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    got: Mutex<Vec<Got>>,
    plan: Mutex<VecDeque<u16>>,
}

impl Sink {
    pub(crate) fn will(&self, status: u16) {
        self.plan.lock().unwrap().push_back(status);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.got.lock().unwrap().clear();
    }

    /// The notices, each with the processes that sent it.
    pub(crate) fn notices(&self) -> BTreeMap<(String, &'static str), Vec<usize>> {
        let mut notices = BTreeMap::<_, Vec<usize>>::new();
        for Got { key, kind, life } in self.got() {
            notices.entry((key, kind)).or_default().push(life);
        }
        notices
    }

    pub(crate) fn repeats(&self) -> usize {
        self.notices().values().map(|lives| lives.len() - 1).sum()
    }

    /// Repeats that no death of the process explains.
    pub(crate) fn repeats_in_one_life(&self) -> usize {
        let again = |mut lives: Vec<usize>| {
            let all = lives.len();
            lives.sort_unstable();
            lives.dedup();
            all - lives.len()
        };
        self.notices().into_values().map(again).sum()
    }

    pub(crate) fn take(&self, request: &Message) -> Message {
        if let Some(status) = self.plan.lock().unwrap().pop_front() {
            return Message::answer(status, "", "as planned");
        }
        let body: Value = serde_json::from_slice(&request.content()).unwrap();
        let path = request.line().split(' ').nth(1).unwrap();
        let life = path.rsplit_once("/life").unwrap().1.parse().unwrap();
        let got = match (body["text"].as_str(), body["id"].as_str()) {
            (Some(text), _) => of_chat(text, life),
            (None, Some(id)) => Got {
                key: id.to_owned(),
                kind: kind(body["data"]["kind"].as_str().unwrap_or_default()),
                life,
            },
            _ => panic!("neither a chat's message nor an event: {body}"),
        };
        self.got.lock().unwrap().push(got);
        Message::answer(200, "", "ok")
    }
}

/// `Pushed image app:v1 (2026-11-20T10:00:01.000Z): in all 2 regions after 3 s (repeat)`: the image and the
/// event's own time tell the push.
fn of_chat(text: &str, life: usize) -> Got {
    let (key, told) = text.split_once("): ").unwrap();
    Got { key: key.to_owned(), kind: kind(told), life }
}

fn kind(told: &str) -> &'static str {
    let kinds = [
        ("timed", "timed_out"),
        ("recovered", "recovered"),
        ("in all", "completed"),
        ("completed", "completed"),
    ];
    let known = kinds.iter().find(|(start, _)| told.starts_with(start));
    known.unwrap_or_else(|| panic!("what is this? {told}")).1
}
