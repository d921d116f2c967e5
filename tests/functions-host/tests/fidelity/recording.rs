//! Reads recordings, and makes long texts whole that were cut short when they were written down.

use std::fs;

use functions_host::json::Json;

use crate::fixtures;

/// One recorded case.
pub(crate) struct Recording {
    /// Folder and file, for messages.
    pub(crate) name: String,
    json: Json,
}

/// What the handler answers.
#[derive(Clone, Default)]
pub(crate) struct HandlerAnswer {
    /// The connection is closed instead.
    pub(crate) is_drop: bool,
    pub(crate) delay_ms: u64,
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Head lines and body.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
}

/// All recordings of a folder; at least one.
pub(crate) fn folder(name: &str) -> Vec<Recording> {
    let files = fs::read_dir(fixtures().join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!(!files.is_empty(), "{name} is empty");
    let read = |path: &std::path::PathBuf| Recording {
        name: format!("{name}/{}", path.file_name().unwrap().to_string_lossy()),
        json: Json::parse(&fs::read_to_string(path).unwrap()).unwrap(),
    };
    files.iter().map(read).collect()
}

impl Recording {
    pub(crate) fn at(&self, path: &str) -> &Json {
        let found = path.split('.').try_fold(&self.json, |value, name| value.get(name));
        found.unwrap_or_else(|| panic!("{}: no {path}", self.name))
    }

    pub(crate) fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    pub(crate) fn texts(&self, path: &str) -> Vec<String> {
        self.at(path).elements().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// The bytes that a text stands for.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        unescaped(&whole(self.text(path), self.text("note")))
    }

    /// One of the messages that were found, with every byte.
    pub(crate) fn decoded_message(&self, at: usize) -> Vec<u8> {
        unescaped(self.at("messages_in_queue_decoded").elements()[at].as_str().unwrap())
    }

    pub(crate) fn calls(&self) -> Vec<Exchanged> {
        self.at("host_sent_to_handler").elements().iter().map(Exchanged::new).collect()
    }

    pub(crate) fn host_answered(&self) -> Exchanged {
        Exchanged::new(self.at("host_answered"))
    }

    pub(crate) fn handler_answered(&self) -> HandlerAnswer {
        let answer = self.at("handler_answered");
        if answer.get("drop").is_some() {
            return HandlerAnswer { is_drop: true, ..HandlerAnswer::default() };
        }
        let number = |name: &str| answer.get(name).map_or_else(|| "0".to_owned(), Json::compact);
        let headers = self.at("handler_answered.headers").members().iter();
        HandlerAnswer {
            is_drop: false,
            delay_ms: number("delay").parse().unwrap(),
            status: number("status"),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: self.bytes("handler_answered.body"),
        }
    }
}

impl Exchanged {
    fn new(json: &Json) -> Self {
        let head = json.get("head").unwrap().elements().iter();
        let body = json.get("body").unwrap().as_str().unwrap();
        Self {
            head: head.map(|line| line.as_str().unwrap().to_owned()).collect(),
            body: whole(body, ""),
        }
    }
}

/// The text before it was cut short.
fn whole(text: &str, note: &str) -> String {
    if let Some(size) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix(" bytes>")) {
        let around = padded(0).len();
        return padded(size.parse::<usize>().unwrap() - around);
    }
    if let Some((start, count)) = text.split_once(" … ") {
        return repeated_elements(start, count.split(' ').next().unwrap().parse().unwrap());
    }
    if let Some(kibibytes) = note.strip_suffix(" KiB")
        && text.starts_with("{\"pad\":\"")
    {
        return padded(kibibytes.parse::<usize>().unwrap() * 1024);
    }
    repeated_character(text)
}

fn padded(count: usize) -> String {
    format!("{{\"pad\":\"{}\"}}", "x".repeat(count))
}

/// `…<x, 3 times>…` is `…xxx…`
fn repeated_character(text: &str) -> String {
    let Some((before, rest)) = text.split_once('<') else { return text.to_owned() };
    let Some((run, after)) = rest.split_once(" times>") else { return text.to_owned() };
    let Some((character, count)) = run.split_once(", ") else { return text.to_owned() };
    format!("{before}{}{after}", character.repeat(count.parse().unwrap()))
}

/// An answer whose last output is an array of texts that differ only in their number, from the
/// first elements.
fn repeated_elements(start: &str, count: usize) -> String {
    let (before, elements) = start.split_once('[').unwrap();
    let first = elements.split(", ").next().unwrap();
    let elements: Vec<_> = (0..count).map(|n| first.replace('0', &n.to_string())).collect();
    format!("{before}[{}]}}}}", elements.join(", "))
}

/// `\xNN` is how a byte was written down that is no UTF-8.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend_from_slice(before.as_bytes());
        out.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
