//! Sleeping in simulated time. The code under test sleeps with tokio, whose timers cost most of what its runtime
//! costs here; what surrounds it waits for alarms (but for a connection that hangs until a moment of tokio's), and
//! while nothing of it runs time jumps from one to the next.

use crate::world::Sim;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// When an alarm rings, in milliseconds since the beginning, and its number: those of one moment ring in the order
/// they were set in.
type Key = (u64, u64);

/// Who is to be woken when.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    set: BTreeMap<Key, Waker>,
    last: u64,
    /// Milliseconds that have passed while nothing of the code under test ran. Tokio's clock knows nothing of them,
    /// so no `Instant` may be kept from one of its tasks to the next.
    pub(crate) skipped: u64,
}

impl Alarms {
    pub(crate) fn next(&self) -> Option<u64> {
        self.set.first_key_value().map(|((at, _), _)| *at)
    }

    /// One whose time has come.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Waker> {
        let first = self.set.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[derive(Debug)]
pub(crate) struct Sleep {
    sim: Sim,
    until: u64,
    alarm: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.sim.elapsed() >= self.until {
            return Poll::Ready(());
        }
        let key = {
            let mut alarms = self.sim.alarms();
            let key = self.alarm.unwrap_or((self.until, alarms.last + 1));
            alarms.last = alarms.last.max(key.1);
            alarms.set.insert(key, cx.waker().clone());
            key
        };
        self.alarm = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm {
            self.sim.alarms().set.remove(&alarm);
        }
    }
}

impl Sim {
    /// So many milliseconds after the beginning.
    pub(crate) fn until(&self, millis: u64) -> Sleep {
        Sleep { sim: self.clone(), until: millis, alarm: None }
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.until(self.elapsed().saturating_add(millis))
    }

    /// None if it takes longer than that.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.sleep(limit) => None,
        }
    }
}
