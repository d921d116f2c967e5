//! Queue functions: messages are fetched, handled, deleted, tried again, moved to poison.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::app::{Function, QueueTrigger, Trigger};
use crate::clock;
use crate::core::{Call, Core};
use crate::json::Json;
use crate::messages;
use crate::metadata::Metadata;
use crate::storage::Message;

/// How long a message is hidden while it is worked on.
const LEASE: Duration = Duration::from_secs(10 * 60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// As many messages as the service gives at once.
const MOST_AT_ONCE: usize = 32;

/// A call for a message with this text; the payload overwrites what the trigger knows.
fn call(function: &Function, trigger: &QueueTrigger, text: &str, mut metadata: Metadata) -> Call {
    metadata.set_sys(&function.name);
    metadata.set_payload(text);
    Call {
        binding: trigger.binding.clone(),
        data: Json::encoded(text),
        metadata: metadata.into_json(),
    }
}

/// A run that somebody started by hand: there is no message, only its text.
pub(crate) fn manual_call(function: &Function, trigger: &QueueTrigger, input: &str) -> Call {
    let forever = clock::whole_seconds(clock::forever());
    let mut metadata = Metadata::default();
    metadata.set("DequeueCount", "0".into());
    metadata.set("ExpirationTime", forever.clone().into());
    metadata.set("InsertionTime", clock::whole_seconds(clock::now()).into());
    metadata.set("NextVisibleTime", forever.into());
    metadata.set(&trigger.binding, Json::encoded(input));
    call(function, trigger, input, metadata)
}

fn message_call(
    function: &Function,
    trigger: &QueueTrigger,
    message: &Message,
    text: &str,
) -> Call {
    let mut metadata = Metadata::default();
    metadata.set("DequeueCount", message.dequeue_count.to_string().into());
    metadata.set("ExpirationTime", clock::whole_seconds(message.expires).into());
    metadata.set("Id", Json::encoded(&message.id));
    metadata.set("InsertionTime", clock::whole_seconds(message.inserted).into());
    metadata.set("NextVisibleTime", clock::whole_seconds(message.visible_again).into());
    metadata.set("PopReceipt", Json::encoded(&message.pop_receipt));
    call(function, trigger, text, metadata)
}

impl Core {
    /// The queue functions with their triggers.
    pub(crate) fn queue_functions(&self) -> impl Iterator<Item = (&Function, &QueueTrigger)> {
        self.app.functions.iter().filter_map(|function| match &function.trigger {
            Trigger::Queue(trigger) => Some((function, trigger)),
            _ => None,
        })
    }

    fn queue_function(&self, name: &str) -> Option<(&Function, &QueueTrigger)> {
        self.queue_functions().find(|(function, _)| function.name == name)
    }

    /// Does with a message what has to be done with it.
    async fn handle(
        &self,
        function: &Function,
        trigger: &QueueTrigger,
        message: &Message,
    ) -> io::Result<()> {
        let most_tries = self.app.queues.most_tries;
        let bytes = messages::decode(&message.text, self.app.queues.base64);
        let Some(bytes) = bytes.filter(|_| message.dequeue_count <= most_tries) else {
            return self.give_up(trigger, message).await;
        };
        let succeeded = match String::from_utf8(bytes) {
            Ok(text) => {
                let call = message_call(function, trigger, message, &text);
                self.invoke(function, call).await.is_ok()
            }
            Err(error) => {
                self.logs.host(format!("{} failed: {error}", function.name));
                false
            }
        };
        if succeeded {
            trigger.queue.delete(message).await
        } else if message.dequeue_count < most_tries {
            trigger.queue.release(message, self.app.queues.retry_after).await
        } else {
            self.give_up(trigger, message).await
        }
    }

    /// Moves a message to the poison queue. A message that is in one already stays where it is.
    async fn give_up(&self, trigger: &QueueTrigger, message: &Message) -> io::Result<()> {
        if trigger.queue.name().ends_with("-poison") {
            return Ok(());
        }
        trigger.queue.poison().put(&message.text).await?;
        trigger.queue.delete(message).await
    }

    /// Handles messages side by side; returns when no more than `rest` are still at work.
    async fn handle_all(
        self: &Arc<Self>,
        function: &str,
        messages: Vec<Message>,
        running: &mut JoinSet<()>,
        rest: usize,
    ) {
        for message in messages {
            let (core, name) = (Arc::clone(self), function.to_owned());
            let work = self.in_flight.enter();
            running.spawn(async move {
                let _work = work;
                let Some((function, trigger)) = core.queue_function(&name) else { return };
                if let Err(error) = core.handle(function, trigger, &message).await {
                    core.logs.host(format!("{name}: {error}"));
                }
            });
        }
        while running.len() > rest {
            running.join_next().await;
        }
    }

    /// Handles every message that is visible now, each once, and says how many there were.
    pub(crate) async fn pump(self: &Arc<Self>) -> io::Result<usize> {
        let _work = self.in_flight.enter();
        if *self.stopping.borrow() {
            return Err(io::Error::other("the host has stopped"));
        }
        let mut handled = 0;
        for (function, trigger) in self.queue_functions() {
            let mut messages = Vec::new();
            loop {
                let more = trigger.queue.receive(MOST_AT_ONCE, LEASE).await?;
                if more.is_empty() {
                    break;
                }
                messages.extend(more);
            }
            handled += messages.len();
            let at_once = self.app.queues.batch + self.app.queues.threshold;
            let mut running = JoinSet::new();
            for batch in messages.chunks(at_once) {
                self.handle_all(&function.name, batch.to_vec(), &mut running, 0).await;
            }
        }
        Ok(handled)
    }
}

/// Polls the queue of a function until the host stops, less and less often while it is empty.
pub(crate) async fn run(core: Arc<Core>, name: String) {
    let Some((_, trigger)) = core.queue_function(&name) else { return };
    let options = &core.app.queues;
    let mut stopping = core.stopping.subscribe();
    let mut running = JoinSet::new();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let work = core.in_flight.enter();
        if *stopping.borrow() {
            break;
        }
        let found = trigger.queue.receive(options.batch, LEASE).await.unwrap_or_else(|error| {
            core.logs.host(format!("{name}: {error}"));
            Vec::new()
        });
        pause = if found.is_empty() { pause * 2 } else { SHORTEST_PAUSE };
        pause = pause.min(options.longest_pause.max(SHORTEST_PAUSE));
        core.handle_all(&name, found, &mut running, options.threshold).await;
        drop(work);
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = sleep(pause) => {}
        }
    }
    while running.join_next().await.is_some() {}
}
