//! The rules of this repository, as tests: who may use whom, no file that nobody compiles, samples and documents
//! that say what the code does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use acr_fanin::config::settings::{Applies, SETTINGS, Setting};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;
/// What is no part of the repository, wherever it lies.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "Cargo.lock"];

/// Which rooms of `src` a room may use; itself always. `docs/ARCHITECTURE.md` draws the same arrows.
const ARROWS: [(&str, &[&str]); 24] = [
    ("main", &["cli"]),
    ("cli", &["boot", "clock", "config", "functions", "standalone", "store", "telemetry"]),
    ("boot", &["app", "azure", "clock", "config", "ports", "sink", "store"]),
    ("functions", &["answer", "api", "app", "config", "limits", "server"]),
    ("standalone", &["answer", "api", "app", "config", "limits", "server"]),
    ("server", &["answer"]),
    ("api", &["answer", "app", "clock", "intake", "limits", "ports", "secret", "store"]),
    ("app", &["intake", "keys", "limits", "ports", "store"]),
    ("intake", &["answer", "clock", "limits", "secret"]),
    ("store", &["azure", "clock", "config", "keys", "limits", "ports"]),
    (
        "sink",
        &[
            "address",
            "azure",
            "clock",
            "config",
            "limits",
            "ports",
            "redact",
            "retry_after",
            "secret",
        ],
    ),
    (
        "azure",
        &["address", "clock", "config", "limits", "ports", "redact", "retry_after", "secret"],
    ),
    ("redact", &["limits", "secret"]),
    ("config", &["address", "intake", "limits", "secret"]),
    ("address", &[]),
    ("answer", &[]),
    ("clock", &[]),
    ("fuzzing", &["answer", "functions", "ports", "sink", "store"]),
    ("keys", &[]),
    ("limits", &[]),
    ("ports", &[]),
    ("retry_after", &[]),
    ("secret", &[]),
    ("telemetry", &["clock", "limits"]),
];

/// Where the types of a library stop: the only files of `src` that may name it.
const LIBRARIES: [(&str, &[&str]); 6] = [
    ("actix_web", &["functions/", "standalone.rs", "server.rs", "cli/demo/"]),
    ("rusqlite", &["store/sqlite.rs"]),
    ("azure_core", &["azure/"]),
    ("azure_identity", &["azure/"]),
    ("azure_data_tables", &["azure/", "store/azure_table.rs", "config/storage.rs", "telemetry/"]),
    ("reqwest", &["sink/", "azure/", "cli/demo/", "store/azure_table.rs"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder, by their path from the root.
fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if NOT_OURS.contains(&name) || name == ".git" {
            continue;
        } else if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    files.sort();
    files
}

fn rust_files() -> Vec<String> {
    files_below(root()).into_iter().filter(|path| path.ends_with(".rs")).collect()
}

/// What follows each occurrence of `pattern` in the text.
fn after<'a>(text: &'a str, pattern: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(pattern).map(move |(at, _)| &text[at + pattern.len()..])
}

fn first_word(text: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// The files of `src`, below `src`, with the code in them that is not only for tests.
fn sources() -> Vec<(String, String)> {
    let is_test = |path: &String| {
        ["/tests/", "/tests.rs", "/samples.rs"].iter().any(|part| path.contains(part))
    };
    let paths = files_below(&root().join("src")).into_iter().filter(|path| !is_test(path));
    let source = |path: String| {
        let text = read(&path);
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (path["src/".len()..].to_owned(), lines.collect::<Vec<_>>().join("\n"))
    };
    paths.map(source).collect()
}

/// The rooms that a piece of code names, as `crate::room` or in `use crate::{room, other::Thing}`.
fn used_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for rest in after(code, "crate::") {
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(first_word(rest).to_owned());
            continue;
        };
        let mut depth = 1;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && c == ',') {
                rooms.insert(first_word(group[start..at].trim()).to_owned());
                start = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms.remove("");
    rooms
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    for (path, code) in sources() {
        let room = first_word(&path);
        if room == "lib" {
            continue;
        }
        let known = ARROWS.iter().find(|(name, _)| *name == room);
        let may = known.map_or(&[][..], |(_, may)| may);
        let mut used = used_rooms(&code);
        used.extend(used_rooms(&code.replace("acr_fanin::", "crate::")));
        let odd: Vec<_> =
            used.iter().filter(|other| *other != room && !may.contains(&other.as_str())).collect();
        assert!(odd.is_empty(), "src/{path} uses {odd:?}, which {room} may not: see ARROWS");
    }
}

#[test]
fn every_arrow_is_used() {
    let sources = sources();
    for (room, may) in ARROWS {
        let code = sources.iter().filter(|(path, _)| first_word(path) == room);
        let code: String = code.map(|(_, code)| code.replace("acr_fanin::", "crate::")).collect();
        let used = used_rooms(&code);
        for other in may {
            assert!(used.contains(*other), "{room} does not use {other}: take the arrow away");
        }
    }
}

#[test]
fn the_types_of_a_library_stop_in_its_room() {
    for (path, code) in sources() {
        for (library, rooms) in LIBRARIES {
            let names =
                code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == library);
            assert!(
                !names || rooms.iter().any(|room| path.starts_with(room)),
                "src/{path} names {library}"
            );
        }
    }
    // The switch for the built-in mutants is no part of the core as it ships.
    let mut core = files_below(&root().join("crates/fan-in/src"));
    core.retain(|path| !path.ends_with("mutant.rs"));
    assert!(core.iter().all(|path| !read(path).contains("std::")), "the core has no std");
    assert!(!read("crates/fan-in/Cargo.toml").contains("\n[dependencies]"), "nor dependencies");
}

/// Files that cargo compiles without anybody naming them.
fn is_crate_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., "src", "lib.rs" | "main.rs"]
        | [.., "src", "bin", _]
        | [.., "tests" | "benches", _, "main.rs"] => true,
        [.., "tests" | "benches" | "fuzz_targets", _] => !path.starts_with("src/"),
        [.., name] => *name == "build.rs",
        [] => false,
    }
}

/// Where the modules are that a file declares.
fn modules(path: &str) -> Vec<String> {
    let file = PathBuf::from(path);
    let is_folder = is_crate_root(path) || file.ends_with("mod.rs");
    let folder =
        if is_folder { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let text = read(path);
    let lines = text.lines().map(str::trim).filter(|line| line.ends_with(';'));
    let names = lines
        .filter_map(|line| line.split_once("mod ").map(|(_, name)| name.trim_end_matches(';')));
    let candidates = names
        .filter(|name| first_word(name) == *name)
        .flat_map(|name| [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]);
    candidates.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_file_is_compiled_and_short() {
    let files = rust_files();
    let mut reached: BTreeSet<String> =
        files.iter().filter(|path| is_crate_root(path)).cloned().collect();
    let mut open: Vec<String> = reached.iter().cloned().collect();
    while let Some(path) = open.pop() {
        for module in modules(&path) {
            if files.contains(&module) && reached.insert(module.clone()) {
                open.push(module);
            }
        }
    }
    for path in &files {
        assert!(reached.contains(path), "{path} is no module of anything");
        let lines = read(path).lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
    }
}

fn setting_row(setting: &Setting) -> String {
    let note = match setting.applies {
        Applies::Everywhere => "",
        Applies::Functions => " (Functions only)",
        Applies::Commands => " (not used in this version)",
    };
    let default = setting.default.map(|text| format!("`{text}`")).unwrap_or_default();
    format!("| `{}` | {}{note} | {default} |\n", setting.name, setting.meaning)
}

#[test]
fn the_readme_explains_the_settings_that_there_are() {
    let rows: String = SETTINGS.iter().map(setting_row).collect();
    let expected = format!("| setting | meaning | default |\n|---|---|---|\n{rows}");
    let readme = read("README.md");
    let (_, table) = readme.split_once("<!-- settings:").unwrap();
    let (_, table) = table.split_once("-->\n").unwrap();
    let (table, _) = table.split_once("<!-- /settings -->").unwrap();
    assert!(table == expected, "README.md should have this table of settings:\n{expected}");
}

/// Name, type and direction.
type Binding<'a> = (&'a str, &'a str, &'a str);

/// The bindings of a function.
fn bindings(function: &str) -> Vec<(String, String, String)> {
    let json = read_json(&format!("{function}/function.json"));
    let bindings = json["bindings"].as_array().unwrap().iter();
    let text = |binding: &Value, name: &str| binding[name].as_str().unwrap().to_owned();
    bindings.map(|b| (text(b, "name"), text(b, "type"), text(b, "direction"))).collect()
}

/// The function folders: what the Functions host finds below the root.
fn functions() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.join("function.json").is_file());
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_function_folders_are_the_routes_of_the_handler() {
    let handler = read("src/functions/mod.rs");
    let routes = after(&handler, ".route(\"/").map(|rest| first_word(rest).to_owned());
    assert_eq!(functions(), routes.collect());
    for function in functions() {
        let files = files_below(&root().join(&function));
        assert_eq!(
            files,
            [format!("{function}/function.json")],
            "a function folder holds nothing else"
        );
    }
}

#[test]
fn the_bindings_are_those_that_the_code_uses() {
    let expected: [(&str, &[Binding<'_>]); 6] = [
        (
            "ImagePush",
            &[("req", "httpTrigger", "in"), ("res", "http", "out"), ("bells", "queue", "out")],
        ),
        ("FanInTimer", &[("timer", "timerTrigger", "in"), ("bells", "queue", "out")]),
        ("Notify", &[("msg", "queueTrigger", "in")]),
        ("Status", &[("req", "httpTrigger", "in"), ("res", "http", "out")]),
        (
            "Jobs",
            &[("req", "httpTrigger", "in"), ("res", "http", "out"), ("bells", "queue", "out")],
        ),
        ("JobStatus", &[("req", "httpTrigger", "in"), ("res", "http", "out")]),
    ];
    assert_eq!(functions(), expected.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (function, wanted) in expected {
        let found = bindings(function);
        let found: Vec<_> =
            found.iter().map(|(n, t, d)| (n.as_str(), t.as_str(), d.as_str())).collect();
        assert_eq!(found, wanted, "{function}");
        for binding in
            read_json(&format!("{function}/function.json"))["bindings"].as_array().unwrap()
        {
            if binding["type"].as_str().unwrap().starts_with("queue") {
                assert_eq!(binding["queueName"], "%FANIN_QUEUE%", "{function}");
                assert_eq!(binding["connection"], "AzureWebJobsStorage", "{function}");
            }
            if binding["type"] == "httpTrigger" {
                // Nobody can guess the id of a job.
                let level = if function == "JobStatus" { "anonymous" } else { "function" };
                assert_eq!(binding["authLevel"], level, "{function}");
            }
        }
    }
    let first =
        |function: &str| read_json(&format!("{function}/function.json"))["bindings"][0].clone();
    assert_eq!(first("ImagePush")["methods"], json!(["get", "post", "options"]));
    assert_eq!(first("ImagePush")["route"], Value::Null, "the folder's name is the route");
    assert_eq!(
        (&first("Status")["methods"], &first("Status")["route"]),
        (&json!(["get"]), &json!("status/{push?}"))
    );
    assert_eq!(
        (&first("Jobs")["methods"], &first("Jobs")["route"]),
        (&json!(["post"]), &json!("jobs"))
    );
    assert_eq!(
        (&first("JobStatus")["methods"], &first("JobStatus")["route"]),
        (&json!(["get"]), &json!("jobs/{job?}")),
        "one route in two folders, since one folder cannot have both levels of authority"
    );
    assert_eq!(first("FanInTimer")["schedule"], "%FANIN_SCHEDULE%");
}

#[test]
fn the_host_is_told_what_the_design_needs() {
    let host = read_json("host.json");
    assert_eq!(host["version"], "2.0");
    let queues = &host["extensions"]["queues"];
    for (name, value) in [
        ("maxPollingInterval", json!("00:00:01")),
        ("visibilityTimeout", json!("00:00:30")),
        ("maxDequeueCount", json!(100_000)),
        ("messageEncoding", json!("base64")),
    ] {
        assert_eq!(queues[name], value, "{name}");
    }
    assert_eq!(host["extensions"]["http"]["routePrefix"], "api", "the answers' Location says so");
    let handler = &host["customHandler"];
    // Exactly this text is what `func publish` marks as executable.
    assert_eq!(handler["description"]["defaultExecutablePath"], "acr-fanin");
    assert_eq!(
        handler["enableForwardingHttpRequest"],
        Value::Null,
        "two outputs need the JSON mode"
    );
}

/// Whether a line of `.funcignore` means this name; `*` stands for any characters.
fn ignores(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|left| {
            (0..=left.len())
                .filter(|at| left.is_char_boundary(*at))
                .any(|at| ignores(rest, &left[at..]))
        }),
    }
}

#[test]
fn what_is_published_is_the_handler_and_its_functions() {
    let text = read(".funcignore");
    let patterns: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(
        patterns.iter().all(|line| !line.contains(['/', '!', '?', '['])),
        "more than this test understands"
    );
    let is_left_out =
        |path: &str| path.split('/').any(|part| patterns.iter().any(|line| ignores(line, part)));
    let mut published = vec!["host.json", "acr-fanin", "fanin.toml", "deploy/web.json"];
    let functions: Vec<String> =
        functions().iter().map(|name| format!("{name}/function.json")).collect();
    published.extend(functions.iter().map(String::as_str));
    for path in published {
        assert!(!is_left_out(path), "{path} is not published");
    }
    for path in files_below(root()) {
        let is_code = path.contains('/') && !functions.contains(&path);
        let is_ours =
            [".rs", ".md", ".sample.json", ".sample.toml"].iter().any(|end| path.ends_with(end));
        assert!(!(is_code || is_ours) || is_left_out(&path), "{path} is published");
    }
    for path in [
        "local.settings.json",
        ".git/config",
        "target/release/acr-fanin",
        "acr-fanin.db",
        "acr-fanin.db-wal",
    ] {
        assert!(is_left_out(path), "{path} is published");
    }
}

#[test]
fn nothing_is_left_for_later_and_no_path_is_of_one_machine() {
    let later = [concat!("to", "do!"), concat!("FIX", "ME"), concat!("X", "XX")];
    let machine = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_.}-".contains(c));
    for path in files_below(root()).iter().filter(|path| !path.ends_with("package-lock.json")) {
        // What is not text is not ours.
        let Ok(text) = std::fs::read_to_string(root().join(path)) else { continue };
        for word in later {
            let stands_alone = |(at, _): (usize, &str)| {
                let (before, rest) =
                    (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
                !is_word(before) && (word.ends_with('!') || !is_word(rest))
            };
            assert!(!text.match_indices(word).any(stands_alone), "{path}: {word}");
        }
        for start in machine {
            let begins = |(at, _): (usize, &str)| !is_word(text[..at].chars().next_back());
            assert!(!text.match_indices(start).any(begins), "{path}: {start}");
        }
    }
}
