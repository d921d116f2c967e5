//! Queue messages: how outputs become texts in a queue, and how those are read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::json::Json;
use crate::newtonsoft::to_text;
use crate::result::Failure;
use crate::storage::QueueClient;

/// The longest text that the service takes for a message.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// Puts what an output says into its queue.
pub(crate) async fn put(queue: &QueueClient, value: &Json, base64: bool) -> Result<(), Failure> {
    for message in messages(value) {
        let text = if base64 {
            BASE64.encode(&message)
        } else {
            String::from_utf8_lossy(&message).into_owned()
        };
        if text.len() > LONGEST_MESSAGE {
            return Err(Failure::new(format!("a message of {} bytes", message.len())));
        }
        queue.put(&text).await.map_err(|error| Failure::new(error.to_string()))?;
    }
    Ok(())
}

/// The messages that an output stands for. A single string may be base64 or JSON and is then
/// read as such; the strings of an array are taken as they are. Empty ones get lost.
fn messages(value: &Json) -> Vec<Vec<u8>> {
    let mut bodies = match value {
        Json::Null => Vec::new(),
        Json::Array(elements) => {
            elements.iter().map(|element| to_text(element).into_bytes()).collect()
        }
        Json::String(text) => match (from_base64(text), Json::parse(text)) {
            (Some(bytes), _) => vec![bytes],
            (None, Ok(inner @ (Json::Array(_) | Json::Object(_)))) => return messages(&inner),
            _ => vec![to_text(value).into_bytes()],
        },
        _ => vec![to_text(value).into_bytes()],
    };
    bodies.retain(|body| !body.is_empty());
    bodies
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(dense).ok()
}

/// The text of a message in the queue.
pub(crate) fn decode(stored: &str, base64: bool) -> Option<Vec<u8>> {
    if base64 { from_base64(stored) } else { Some(stored.as_bytes().to_vec()) }
}
