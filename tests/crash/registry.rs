//! A registry with several regions whose webhooks come in no order.

use crate::hook::Hook;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) const REGIONS: &str = "northeurope,westeurope,southeastasia";

/// A webhook on its way.
pub(crate) type Webhook = (Hook, &'static str);

#[derive(Debug)]
pub(crate) struct Registry {
    waiting: Mutex<Vec<Webhook>>,
    pushed: AtomicU64,
    closed: AtomicBool,
    /// Webhooks that are on their way at the same time.
    at_once: usize,
    /// Of a hundred webhooks that are sent, so many are sent once more later.
    doubled: u8,
}

impl Registry {
    pub(crate) fn new(at_once: usize, doubled: u8) -> Self {
        let (waiting, pushed, closed) = (Mutex::default(), AtomicU64::new(0), false.into());
        Self { waiting, pushed, closed, at_once, doubled }
    }

    /// None when it is closed and all are sent.
    pub(crate) fn next(&self) -> Option<Webhook> {
        let mut waiting = self.waiting.lock().unwrap();
        while waiting.len() < self.at_once && !self.closed.load(Ordering::Relaxed) {
            let number = 1 + self.pushed.fetch_add(1, Ordering::Relaxed);
            let hook = Hook::of_many(number);
            waiting.extend(REGIONS.split(',').map(|region| (hook.clone(), region)));
        }
        if waiting.is_empty() {
            return None;
        }
        let at = fastrand::usize(0..waiting.len());
        if fastrand::u8(0..100) < self.doubled {
            return Some(waiting[at].clone());
        }
        Some(waiting.swap_remove(at))
    }

    pub(crate) fn again(&self, webhook: Webhook) {
        self.waiting.lock().unwrap().push(webhook);
    }

    /// Nothing is pushed any more, until it is opened again.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) {
        self.closed.store(false, Ordering::Relaxed);
    }

    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }
}
