//! The HTTP server of the host: routes, keys, the admin API.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::answer;
use crate::app::{Function, HttpTrigger, Trigger};
use crate::core::{Call, Core};
use crate::json::Json;
use crate::kestrel::Response;
use crate::queue;
use crate::request::{Request, method, target};
use crate::route::{Parameters, percent_decoded, query};
use crate::timer;
use crate::wire::{self, Head};

/// Accepts connections until the host stops, and serves them until they end.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener) {
    let mut stopping = core.stopping.subscribe();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(Arc::clone(&core), stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    core.closed.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Serves the requests of one connection; one that broke is no concern of the host.
async fn connection(core: Arc<Core>, stream: TcpStream) {
    let _broken = converse(&core, stream).await;
}

async fn converse(core: &Arc<Core>, stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut stopping = core.stopping.subscribe();
    loop {
        let head = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            head = wire::read_head(&mut stream) => head?,
        };
        let Some(head) = head else { return Ok(()) };
        let _work = core.in_flight.enter();
        let body = wire::read_body(&mut stream, &head).await?;
        let to_head_request = method(&head) == "HEAD";
        let closes = head.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let response = core.respond(head, body).await;
        let (bytes, is_usable) = response.into_bytes(to_head_request);
        stream.write_all(&bytes).await?;
        if closes || !is_usable {
            return stream.shutdown().await;
        }
    }
}

impl Core {
    async fn respond(self: &Arc<Self>, head: Head, body: Vec<u8>) -> Response {
        let path = target(&head).0;
        if let Some(name) = path.strip_prefix("/admin/functions/") {
            let name = percent_decoded(name);
            let is_post = method(&head) == "POST";
            return if is_post { self.start_by_hand(&name, &body) } else { Response::empty(404) };
        }
        let Some((function, trigger, parameters)) = self.route(&head) else {
            return Response::empty(404);
        };
        let key = self.key(&head);
        if trigger.needs_key && key.is_none() {
            return Response::empty(401);
        }
        let request = Request { head, body, parameters, key };
        let mut metadata = request.metadata();
        metadata.set_sys(&function.name);
        let call = Call {
            binding: trigger.binding.clone(),
            data: request.data(),
            metadata: metadata.into_json(),
        };
        answer::respond(function, self.invoke(function, call).await)
    }

    /// The function for a request: of those whose route and method match, the one with the
    /// most literal route.
    fn route(&self, head: &Head) -> Option<(&Function, &HttpTrigger, Parameters)> {
        let path = target(head).0;
        let below = path.trim_start_matches('/');
        let prefix = &self.app.route_prefix;
        let below = match below.get(..prefix.len()) {
            _ if prefix.is_empty() => below,
            Some(start) if start.eq_ignore_ascii_case(prefix) => {
                below[prefix.len()..].strip_prefix('/')?
            }
            _ => return None,
        };
        let is_allowed = |trigger: &HttpTrigger| {
            trigger.methods.is_empty() || trigger.methods.iter().any(|name| name == method(head))
        };
        let matching = self.app.functions.iter().filter_map(|function| match &function.trigger {
            Trigger::Http(trigger) if is_allowed(trigger) => {
                Some((function, trigger, trigger.route.matches(below)?))
            }
            _ => None,
        });
        matching.max_by_key(|(_, trigger, _)| trigger.route.literals())
    }

    /// The name of the key that a request shows; the header wins over the query.
    fn key(&self, head: &Head) -> Option<String> {
        let query = query(target(head).1);
        let in_query = query.iter().find(|(name, _)| name.eq_ignore_ascii_case("code"));
        let shown = match head.header("x-functions-key") {
            Some(value) => value,
            None => in_query?.1.first()?,
        };
        let known = self.keys.iter().find(|(_, value)| value == shown);
        known.map(|(name, _)| name.clone())
    }

    /// `POST /admin/functions/{name}`: the function runs in the background.
    fn start_by_hand(self: &Arc<Self>, name: &str, body: &[u8]) -> Response {
        let Some(function) = self.app.function(name) else { return Response::empty(404) };
        let input = Json::parse(&String::from_utf8_lossy(body)).ok();
        let Some(input) = input.filter(|input| matches!(input, Json::Object(_))) else {
            return Response::empty(400);
        };
        let input = input.get_ignore_case("input").and_then(Json::as_str).unwrap_or_default();
        let call = match &function.trigger {
            // A run of an HTTP function needs a request: nothing happens.
            Trigger::Http(_) => return Response::empty(202),
            Trigger::Timer(trigger) => timer::manual_call(self, function, trigger, input),
            Trigger::Queue(trigger) => queue::manual_call(function, trigger, input),
        };
        let (core, name) = (Arc::clone(self), function.name.clone());
        let work = self.in_flight.enter();
        self.spawn(async move {
            let _work = work;
            if let Some(function) = core.app.function(&name) {
                // Its failure has been logged, and nobody waits for it.
                let _result = core.invoke(function, call).await;
            }
        });
        Response::empty(202)
    }
}
