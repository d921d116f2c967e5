//! Slack's incoming webhooks.

use super::attempt::{Judgement, attempt, chat_refusal};
use super::client::{Client, Reply};
use super::text::{clean, facts, headline, sentence_or_repeat};
use super::{JSON, content_type};
use crate::ports::{Parcel, Sink};
use crate::redact::Redactor;
use crate::secret::SecretUrl;
use async_trait::async_trait;
use fan_in::Attempt;
use serde_json::{Value, json};

/// Slack cuts at 40,000 and advises to stay under this.
const TEXT_MAX: usize = 4_000;
const SECTION_MAX: usize = 3_000;
const HEADER_MAX: usize = 150;
const FIELDS_MAX: usize = 10;
const FIELD_MAX: usize = 2_000;

#[derive(Clone, Debug)]
pub struct Slack {
    name: String,
    url: SecretUrl,
    client: Client,
    redactor: Redactor,
}

impl Slack {
    #[must_use]
    pub fn new(name: String, url: SecretUrl, client: Client) -> Self {
        let redactor = Redactor::new(&url, []);
        Self { name, url, client, redactor }
    }
}

#[async_trait]
impl Sink for Slack {
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

fn judge(reply: &Reply) -> Judgement {
    match reply.status {
        200 if reply.body.trim() == "ok" => Judgement::Accepted,
        200 if reply.broken => Judgement::Unknown,
        status => chat_refusal(status),
    }
}

/// `text` is for notifications, `blocks` is what one sees. The blocks' text objects are plain: nothing in
/// them is formatted, whatever it looks like.
pub(crate) fn message(parcel: Parcel<'_>) -> Value {
    let sentence = sentence_or_repeat(parcel);
    let fields: Vec<_> = facts(parcel)
        .into_iter()
        .take(FIELDS_MAX)
        .map(|(label, value)| plain(&format!("{label}\n"), &value, FIELD_MAX))
        .collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": plain("", headline(parcel), HEADER_MAX) }),
        json!({ "type": "section", "text": plain("", &sentence, SECTION_MAX) }),
    ];
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    json!({
        "text": escape(&sentence, TEXT_MAX),
        "mrkdwn": false,
        "blocks": blocks,
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn plain(label: &str, text: &str, max: usize) -> Value {
    let text = escape(text, max.saturating_sub(label.len()));
    json!({ "type": "plain_text", "text": format!("{label}{text}"), "emoji": false })
}

/// Slack wants these three characters escaped and no others. A text that is too long is never cut within
/// what an escaped character became.
fn escape(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut room = max;
    for c in clean(text).chars() {
        let mut buffer = [0; 4];
        let piece: &str = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut buffer),
        };
        let Some(left) = room.checked_sub(piece.chars().count()) else { break };
        out.push_str(piece);
        room = left;
    }
    out
}
