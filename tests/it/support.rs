//! What end-to-end tests share: the real binary, and somebody for it to talk to.

use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use watched::{Process, READ_TOKEN, Secrets, WEBHOOK_SECRET};

/// Far more than anything takes: a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Things that happen elsewhere, and that one can wait for.
#[derive(Clone, Debug)]
pub(crate) struct Happenings<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Default for Happenings<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + std::fmt::Debug> Happenings<T> {
    pub(crate) fn add(&self, happened: T) {
        self.0.0.lock().unwrap().push(happened);
        self.0.1.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until the list is as wanted.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&[T]) -> bool) -> Vec<T> {
        let list = self.0.0.lock().unwrap();
        let (list, waited) =
            self.0.1.wait_timeout_while(list, PATIENCE, |list| !wanted(list)).unwrap();
        assert!(!waited.timed_out(), "{what} did not happen; so far: {list:#?}");
        list.clone()
    }
}

/// One request that a sink got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        self.json()["text"].as_str().unwrap().to_owned()
    }
}

/// A server that keeps what it gets, and answers as planned: 200 `ok` when nothing is.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) got: Happenings<Got>,
    plan: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            got: Happenings::default(),
            plan: Arc::default(),
        };
        let state = receiver.clone();
        std::thread::spawn(move || {
            let server = HttpServer::new(move || {
                actix_web::App::new()
                    .app_data(web::Data::new(state.clone()))
                    .default_service(web::to(receive))
            });
            let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
            actix_web::rt::System::new().block_on(server)
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn will(&self, status: u16, body: &'static str) {
        self.plan.lock().unwrap().push_back((status, body));
    }

    pub(crate) fn wait(&self, count: usize) -> Vec<Got> {
        self.got.wait(&format!("request {count} to the receiver"), |list| list.len() >= count)
    }

    pub(crate) fn texts(&self, count: usize) -> Vec<String> {
        self.wait(count).iter().map(Got::text).collect()
    }
}

async fn receive(
    state: web::Data<Receiver>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()));
    state.got.add(Got {
        path: request.uri().to_string(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let (status, text) = state.plan.lock().unwrap().pop_front().unwrap_or((200, "ok"));
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).body(text)
}

/// The binary with these settings and nothing else of this process' environment.
pub(crate) fn binary(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acr-fanin"));
    command.env_clear().envs(settings.iter().copied());
    command
}

/// What a command printed and how it ended.
pub(crate) fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Starts the binary, with secrets where the settings have none.
pub(crate) fn start(
    command: &mut Command,
    settings: &[(&str, &str)],
    logs: &Happenings<String>,
) -> Process {
    start_seen_by(command, settings, logs, |_| {})
}

/// The same; `also` is given each line, and the next is not read before it has returned.
fn start_seen_by(
    command: &mut Command,
    settings: &[(&str, &str)],
    logs: &Happenings<String>,
    also: impl Fn(&str) + Clone + Send + 'static,
) -> Process {
    let logs = logs.clone();
    command.env_clear().envs(watched::settings(settings.iter().copied()));
    let see = move |line: &str| {
        logs.add(line.to_owned());
        also(line);
    };
    Process::start(command, see).unwrap()
}

/// `acr-fanin serve` on a port of its own.
#[derive(Debug)]
pub(crate) struct Standalone {
    process: Process,
    secrets: Secrets,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) logs: Happenings<String>,
}

impl Standalone {
    pub(crate) fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_seen_by(folder, settings, |_| {})
    }

    /// The same; `also` is given each line, and the next is not read before it has returned.
    pub(crate) fn start_seen_by(
        folder: &Path,
        settings: &[(&str, &str)],
        also: impl Fn(&str) + Clone + Send + 'static,
    ) -> Self {
        let mut command = binary(&[]);
        command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0"]);
        let logs = Happenings::default();
        let process = start_seen_by(&mut command, settings, &logs, also);
        let serving =
            |line: &String| Some(parse(line)["address"].as_str()?.parse::<SocketAddr>().unwrap());
        let seen = logs
            .wait("the server's start", |lines| lines.iter().any(|line| serving(line).is_some()));
        let address = seen.iter().find_map(serving).unwrap();
        let secrets = Secrets::of(settings.iter().map(|(_, value)| *value));
        Self { process, secrets, folder: folder.to_owned(), address, logs }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn post(&self, region: &str, body: &Value) -> Answer {
        let url = self.url(&format!("/api/ImagePush?region={region}"));
        Answer::of(reqwest::Client::new().post(url).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(reqwest::Client::new().get(self.url(path))).await
    }

    /// kill -9, as whoever drops it does.
    pub(crate) fn kill(self) {}

    /// Asks it to end, and waits.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.ask_to_end();
        self.ended()
    }

    pub(crate) fn ask_to_end(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        let mut bad = self.process.end();
        for file in self.folder.read_dir().into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with("acr-fanin.db") {
                let rows = std::fs::read(file.path()).unwrap();
                bad.extend(self.secrets.leak("the database", &String::from_utf8_lossy(&rows)));
            }
        }
        assert!(bad.is_empty() || std::thread::panicking(), "{bad:#?}");
    }
}

/// Every line of a log is JSON.
pub(crate) fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line is not JSON: {line}"))
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.timeout(PATIENCE).build_split();
        let mut request = request.unwrap();
        // A test that says nothing of secrets brings the usual ones.
        for (name, value) in [
            ("x-fanin-secret", WEBHOOK_SECRET.to_owned()),
            ("authorization", format!("Bearer {READ_TOKEN}")),
        ] {
            request.headers_mut().entry(name).or_insert(value.parse().unwrap());
        }
        let response = client.execute(request).await.unwrap();
        let headers = response.headers().iter();
        let answer = Self {
            status: response.status().as_u16(),
            headers: headers
                .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
                .collect(),
            text: response.text().await.unwrap(),
        };
        let shown = Secrets::of([WEBHOOK_SECRET, READ_TOKEN]).leak("an answer", &answer.text);
        assert_eq!(shown, None, "{:?}", answer.headers);
        answer
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// Status and `result`, or `error`.
    pub(crate) fn brief(&self) -> (u16, String) {
        let json = self.json();
        let word = json["result"].as_str().or_else(|| json["error"].as_str()).unwrap_or_default();
        (self.status, word.to_owned())
    }
}

/// A registry's webhook of a push.
pub(crate) fn acr_push(id: &str, repository: &str, tag: &str, digest: char) -> Value {
    json!({
        "id": id,
        "timestamp": "2026-11-20T10:00:00.343145347Z",
        "action": "push",
        "target": {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": 524,
            "digest": format!("sha256:{}", digest.to_string().repeat(64)),
            "length": 524,
            "repository": repository,
            "tag": tag,
        },
        "request": {
            "id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7",
            "host": "myregistry.azurecr.io",
            "method": "PUT",
            "useragent": "docker/17.09.0-ce",
        },
    })
}
