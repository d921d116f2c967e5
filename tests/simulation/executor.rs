//! One thread, and one source of chance: which of the tasks that can go on goes on, and which process dies
//! at which await, is drawn from the seed.

use crate::world::{Entry, Group, Sim, Turn};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};
use tokio::time::{Instant, Sleep};

pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(crate) type TaskId = u32;

struct Task {
    group: Group,
    work: Work,
    waker: Waker,
    flag: Arc<Flag>,
}

#[derive(Default)]
struct Ready {
    tasks: Vec<TaskId>,
    /// Set while nothing can go on: then a task that can has to wake the runtime.
    parked: Option<Waker>,
}

struct Flag {
    task: TaskId,
    queued: AtomicBool,
    ready: Arc<Mutex<Ready>>,
}

impl Flag {
    fn raise(&self) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let mut ready = self.ready.lock().unwrap();
            ready.tasks.push(self.task);
            if let Some(runtime) = ready.parked.take() {
                runtime.wake();
            }
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}

/// Runs everything that is spawned until the first task, `director`, is done. What is left then is dropped.
pub(crate) async fn run(sim: Sim, director: Work) {
    let ready: Arc<Mutex<Ready>> = Arc::default();
    let mut tasks: BTreeMap<TaskId, Task> = BTreeMap::new();
    let first = sim.spawn(Group::World, director);
    // What could go on in processes that are frozen.
    let mut held: Vec<TaskId> = Vec::new();
    let mut timer = Box::pin(tokio::time::sleep_until(Instant::now()));
    let step = poll_fn(move |cx| {
        ready.lock().unwrap().parked = None;
        sim.look_at_the_clock();
        loop {
            let Turn { spawned, killed, thawed } = sim.turn();
            bury(killed, &mut tasks);
            if thawed {
                ready.lock().unwrap().tasks.append(&mut held);
            }
            for (id, group, work) in spawned {
                let queued = AtomicBool::new(false);
                let flag = Arc::new(Flag { task: id, queued, ready: Arc::clone(&ready) });
                flag.raise();
                let waker = Waker::from(Arc::clone(&flag));
                tasks.insert(id, Task { group, work, waker, flag });
            }
            let Some(id) = pick(&ready, &sim) else {
                let ours = tasks.values().any(|task| task.group != Group::World);
                if wait(&sim, ours, timer.as_mut(), cx).is_ready() {
                    continue;
                }
                ready.lock().unwrap().parked = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let Some(task) = tasks.get_mut(&id) else { continue };
            match sim.enter(task.group, id) {
                Entry::GoesOn => {}
                Entry::Dies => continue,
                Entry::IsFrozen => {
                    held.push(id);
                    continue;
                }
            }
            task.flag.queued.store(false, Ordering::Relaxed);
            if task.work.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready() {
                let done = tasks.remove(&id);
                sim.leave(id);
                drop(done);
                if id == first {
                    tasks.clear();
                    return Poll::Ready(());
                }
            }
        }
    });
    // One poll of this runs many tasks: none of them may be told that it has had its share.
    tokio::task::unconstrained(step).await;
}

/// Drops what belongs to processes that have died.
fn bury(killed: Vec<Group>, tasks: &mut BTreeMap<TaskId, Task>) {
    for group in killed {
        let dead: Vec<_> = tasks.extract_if(.., |_, task| task.group == group).collect();
        drop(dead);
    }
}

/// Nothing can go on before the next alarm, or before a timer of the code under test if something of it (`ours`) runs:
/// then the runtime has to wait.
fn wait(sim: &Sim, ours: bool, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(next) = sim.next_alarm() else { return Poll::Pending };
    if ours {
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        ready!(timer.poll(cx));
    } else {
        sim.skip();
    }
    sim.look_at_the_clock();
    Poll::Ready(())
}

fn pick(ready: &Mutex<Ready>, sim: &Sim) -> Option<TaskId> {
    let mut ready = ready.lock().unwrap();
    match ready.tasks.len() {
        0 => None,
        1 => ready.tasks.pop(),
        // Timers that end together wake in an order of the runtime's own, which is not to matter.
        many => {
            ready.tasks.sort_unstable();
            Some(ready.tasks.swap_remove(sim.draw(many)))
        }
    }
}

/// Lets others go first.
pub(crate) async fn step_aside() {
    let mut once = false;
    poll_fn(|cx| {
        if once {
            return Poll::Ready(());
        }
        once = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
