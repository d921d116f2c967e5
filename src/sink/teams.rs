//! Microsoft Teams, by a workflow that waits for a webhook.

use super::attempt::{Judgement, attempt, chat_refusal};
use super::client::{Client, Reply};
use super::text::{facts, headline, sentence_or_repeat};
use super::{JSON, content_type};
use crate::limits::cut;
use crate::ports::{Parcel, Sink};
use crate::redact::Redactor;
use crate::secret::SecretUrl;
use async_trait::async_trait;
use fan_in::{Attempt, NoticeKind};
use serde_json::{Value, json};

/// With these a card stays under the 28 KB that Teams takes, whatever is in it.
const SENTENCE_CHARS_MAX: usize = 3_000;
const FACT_CHARS_MAX: usize = 1_500;

#[derive(Clone, Debug)]
pub struct Teams {
    name: String,
    url: SecretUrl,
    client: Client,
    redactor: Redactor,
}

impl Teams {
    #[must_use]
    pub fn new(name: String, url: SecretUrl, client: Client) -> Self {
        let redactor = Redactor::new(&url, []);
        Self { name, url, client, redactor }
    }
}

#[async_trait]
impl Sink for Teams {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let body = message(parcel).to_string().into_bytes();
        let outcome =
            self.client.post(self.url.expose(), content_type(JSON), body, parcel.now).await;
        attempt(outcome, &self.redactor, judge)
    }
}

const fn judge(reply: &Reply) -> Judgement {
    match reply.status {
        200..=299 => Judgement::Accepted,
        status => chat_refusal(status),
    }
}

pub(crate) fn message(parcel: Parcel<'_>) -> Value {
    let kind = parcel.notice.kind;
    let facts: Vec<_> = facts(parcel)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": cut(&value, FACT_CHARS_MAX) }))
        .collect();
    let headline = json!({
        "type": "TextBlock", "text": headline(parcel), "weight": "Bolder", "size": "Medium", "color": colour(kind), "wrap": true,
    });
    let sentence = unformatted(&sentence_or_repeat(parcel));
    let mut body = vec![
        headline,
        json!({ "type": "TextBlock", "text": cut(&sentence, SENTENCE_CHARS_MAX), "wrap": true }),
    ];
    if !facts.is_empty() {
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "msteams": { "width": "Full" },
            },
        }],
    })
}

const fn colour(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::TimedOut | NoticeKind::DeployFailed | NoticeKind::JobFailed => "Attention",
        _ => "Good",
    }
}

/// Cards read Markdown. No image's name holds these characters, but an event's timestamp may hold anything.
fn unformatted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '[' | ']' | '*' | '`' | '\\' | '<' | '>' | '!' | '#' | '~' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
