//! A function app as it stands in its folder: `host.json` and one `function.json` a function.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::HostError;
use crate::json::Json;
use crate::route::Route;
use crate::schedule::Schedule;
use crate::settings::{HostJson, Settings};
use crate::storage::{QueueClient, Storage};

/// A function app with its settings.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) root: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) handler: HandlerCommand,
    pub(crate) route_prefix: String,
    /// How long an invocation may take; `None` is for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) queues: QueueOptions,
    pub(crate) functions: Vec<Function>,
}

/// How the handler is started.
#[derive(Debug)]
pub(crate) struct HandlerCommand {
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
}

/// `extensions.queues` of `host.json`.
#[derive(Debug)]
pub(crate) struct QueueOptions {
    pub(crate) longest_pause: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) most_tries: usize,
    pub(crate) base64: bool,
    pub(crate) batch: usize,
    pub(crate) threshold: usize,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) trigger: Trigger,
    pub(crate) outputs: Vec<Output>,
}

#[derive(Debug)]
pub(crate) enum Trigger {
    Http(HttpTrigger),
    Queue(QueueTrigger),
    Timer(TimerTrigger),
}

#[derive(Debug)]
pub(crate) struct HttpTrigger {
    pub(crate) binding: String,
    pub(crate) route: Route,
    /// In upper case; none means all.
    pub(crate) methods: Vec<String>,
    pub(crate) needs_key: bool,
}

#[derive(Debug)]
pub(crate) struct QueueTrigger {
    pub(crate) binding: String,
    pub(crate) queue: QueueClient,
}

#[derive(Debug)]
pub(crate) struct TimerTrigger {
    pub(crate) binding: String,
    pub(crate) schedule: Schedule,
    pub(crate) is_monitored: bool,
}

#[derive(Debug)]
pub(crate) enum Output {
    Http { binding: String },
    Queue { binding: String, queue: QueueClient },
}

impl App {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file is missing or says something that this host does not understand.
    pub(crate) fn load(root: &Path, settings: Settings) -> Result<Self, HostError> {
        let root = root.canonicalize().map_err(|e| about(root, &e))?;
        let file = read_json(&root.join("host.json"))?;
        let host = HostJson { file: &file, settings: &settings };
        let timeout = match host.get("functionTimeout").as_deref() {
            Some("-1") => None,
            _ => Some(host.span("functionTimeout", Duration::from_secs(5 * 60))?),
        };
        let handler = HandlerCommand::new(&host, &root)?;
        let route_prefix = host.get("extensions.http.routePrefix");
        let route_prefix = route_prefix.unwrap_or_else(|| "api".to_owned());
        let queues = QueueOptions::new(&host)?;
        let functions = functions(&root, &settings)?;
        Ok(Self { root, settings, handler, route_prefix, timeout, queues, functions })
    }

    /// The function of that name in any case.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name))
    }
}

impl HandlerCommand {
    fn new(host: &HostJson<'_>, root: &Path) -> Result<Self, HostError> {
        let text = |name: &str| host.get(&format!("customHandler.description.{name}"));
        let expand = |text: &str| host.settings.expand(text);
        let executable = text("defaultExecutablePath").unwrap_or_default();
        let executable = PathBuf::from(expand(&executable)?);
        let in_root = root.join(&executable);
        let arguments = host.find("customHandler.description.arguments");
        let arguments = arguments.map_or(&[][..], Json::elements);
        let arguments = arguments.iter().filter_map(Json::as_str).map(expand);
        Ok(Self {
            executable: if in_root.is_file() { in_root } else { executable },
            arguments: arguments.collect::<Result<_, _>>()?,
            directory: root.join(text("workingDirectory").unwrap_or_default()),
        })
    }
}

impl QueueOptions {
    fn new(host: &HostJson<'_>) -> Result<Self, HostError> {
        let at = |name: &str| format!("extensions.queues.{name}");
        let batch = host.number(&at("batchSize"), 16)?.clamp(1, 32);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let encoding = host.get(&at("messageEncoding"));
        Ok(Self {
            longest_pause: host.span(&at("maxPollingInterval"), Duration::from_secs(60))?,
            retry_after: host.span(&at("visibilityTimeout"), Duration::ZERO)?,
            most_tries: host.number(&at("maxDequeueCount"), 5)?,
            base64: !encoding.is_some_and(|name| name.eq_ignore_ascii_case("none")),
            batch,
            threshold: host.number(&at("newBatchThreshold"), batch / 2 * processors)?,
        })
    }
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> HostError {
    HostError::new(format!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Result<Json, HostError> {
    let text = fs::read_to_string(path).map_err(|e| about(path, &e))?;
    Json::parse(&text).map_err(|e| about(path, &e))
}

/// The functions in the folders right below the root, by name.
fn functions(root: &Path, settings: &Settings) -> Result<Vec<Function>, HostError> {
    let mut functions = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let path = entry.path().join("function.json");
        if path.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let function = Function::new(name, &read_json(&path)?, settings);
            functions.push(function.map_err(|e| about(&path, &e))?);
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(functions)
}

impl Function {
    fn new(name: String, file: &Json, settings: &Settings) -> Result<Self, HostError> {
        let mut trigger = None;
        let mut outputs = Vec::new();
        for entry in file.get("bindings").map_or(&[][..], Json::elements) {
            let binding = Binding { entry, settings };
            match binding.required("type")?.to_ascii_lowercase().as_str() {
                "httptrigger" => trigger = Some(Trigger::Http(binding.http_trigger(&name)?)),
                "queuetrigger" => trigger = Some(Trigger::Queue(binding.queue_trigger()?)),
                "timertrigger" => trigger = Some(Trigger::Timer(binding.timer_trigger()?)),
                "http" => outputs.push(Output::Http { binding: binding.required("name")? }),
                "queue" => outputs.push(Output::Queue {
                    binding: binding.required("name")?,
                    queue: binding.queue()?,
                }),
                other => return Err(HostError::new(format!("no binding of type {other}"))),
            }
        }
        let trigger = trigger.ok_or_else(|| HostError::new("no trigger"))?;
        Ok(Self { name, trigger, outputs })
    }
}

/// One entry of `bindings`.
struct Binding<'a> {
    entry: &'a Json,
    settings: &'a Settings,
}

impl Binding<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, HostError> {
        let text = self.entry.get_ignore_case(name).and_then(Json::as_str);
        text.map(|text| self.settings.expand(text)).transpose()
    }

    fn required(&self, name: &str) -> Result<String, HostError> {
        self.text(name)?.ok_or_else(|| HostError::new(format!("a binding without {name}")))
    }

    fn queue(&self) -> Result<QueueClient, HostError> {
        let connection = self.text("connection")?.unwrap_or_else(|| "Storage".to_owned());
        let missing = || HostError::new(format!("no connection {connection}"));
        let text = self.settings.connection(&connection).ok_or_else(missing)?;
        let name = self.required("queueName")?.to_ascii_lowercase();
        Ok(Storage::from_connection_string(text)?.queue(&name))
    }

    fn http_trigger(&self, function: &str) -> Result<HttpTrigger, HostError> {
        let methods = self.entry.get_ignore_case("methods").map_or(&[][..], Json::elements);
        let level = self.text("authLevel")?;
        let route = self.text("route")?.unwrap_or_else(|| function.to_owned());
        Ok(HttpTrigger {
            binding: self.required("name")?,
            route: Route::new(&route),
            methods: methods.iter().filter_map(Json::as_str).map(str::to_uppercase).collect(),
            needs_key: !level.is_some_and(|level| level.eq_ignore_ascii_case("anonymous")),
        })
    }

    fn queue_trigger(&self) -> Result<QueueTrigger, HostError> {
        Ok(QueueTrigger { binding: self.required("name")?, queue: self.queue()? })
    }

    fn timer_trigger(&self) -> Result<TimerTrigger, HostError> {
        let schedule = Schedule::parse(&self.required("schedule")?)?;
        let wanted = self.entry.get_ignore_case("useMonitor") != Some(&Json::Bool(false));
        Ok(TimerTrigger {
            binding: self.required("name")?,
            is_monitored: wanted && !schedule.is_below_a_minute(),
            schedule,
        })
    }
}
