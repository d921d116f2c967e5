//! A registry's webhooks, and what the product answered to them.

use serde_json::{Value, json};

/// One event that a registry reports from each of its regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) tag: String,
    /// What the digest is made of.
    pub(crate) content: u64,
    /// The event's time; no two events of a world share one.
    pub(crate) second: u64,
}

impl Hook {
    pub(crate) fn new(number: u64, tag: &str, content: u64) -> Self {
        Self {
            id: format!("event-{number}"),
            repository: "team/app".to_owned(),
            tag: tag.to_owned(),
            content,
            second: number,
        }
    }

    /// One of many pushes, in one of a few repositories.
    pub(crate) fn of_many(number: u64) -> Self {
        let hook = Self::new(number, &format!("v{number}"), number);
        Self { repository: format!("team/app{}", number % 64), ..hook }
    }

    pub(crate) fn digest(&self) -> String {
        format!("sha256:{:064x}", self.content)
    }

    pub(crate) fn body(&self) -> Value {
        let (hour, minute, second) =
            (self.second / 3_600 % 24, self.second / 60 % 60, self.second % 60);
        let day = 1 + self.second / 86_400;
        json!({
            "id": self.id,
            "timestamp": format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}.343145347Z"),
            "action": "push",
            "target": {
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "size": 524, "digest": self.digest(), "length": 524,
                "repository": self.repository, "tag": self.tag,
            },
            "request": {
                "id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7", "host": "myregistry.azurecr.io",
                "method": "PUT", "useragent": "docker/17.09.0-ce",
            },
        })
    }
}

/// A webhook that was answered with 2xx: the registry never sends it again.
#[derive(Clone, Debug)]
pub(crate) struct Ack {
    pub(crate) hook: Hook,
    pub(crate) region: String,
    pub(crate) result: String,
    /// None where it travels by queue.
    pub(crate) push: Option<String>,
    /// The push's, when it was answered.
    pub(crate) status: String,
}

impl Ack {
    /// None when it was not taken, which the status code says.
    pub(crate) fn read(hook: &Hook, region: &str, code: u16, body: &str) -> Option<Self> {
        assert!(matches!(code, 200 | 202 | 503), "{code}: {body}");
        if code == 503 {
            return None;
        }
        let body: Value = serde_json::from_str(body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Some(Self {
            hook: hook.clone(),
            region: region.to_owned(),
            result: text("result"),
            push: body["push"].as_str().map(str::to_owned),
            status: text("status"),
        })
    }
}
