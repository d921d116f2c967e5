//! The few calls of the Queue service that the host makes, over plain HTTP with a shared key.

mod account;
mod xml;

use std::io;
use std::time::Duration;

use time::OffsetDateTime;

pub use account::Storage;

use crate::clock;
use crate::wire::Received;

/// A queue of a storage account. Message texts are what is stored, without any encoding.
#[derive(Clone, Debug)]
pub struct QueueClient {
    storage: Storage,
    name: String,
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub pop_receipt: String,
    pub dequeue_count: usize,
    pub text: String,
    pub(crate) inserted: OffsetDateTime,
    pub(crate) expires: OffsetDateTime,
    pub(crate) visible_again: OffsetDateTime,
}

impl QueueClient {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The queue that takes the messages of this one which nobody could handle.
    #[must_use]
    pub fn poison(&self) -> Self {
        Self { name: format!("{}-poison", self.name), ..self.clone() }
    }

    async fn send(
        &self,
        method: &str,
        below: &str,
        parameters: &str,
        body: &str,
    ) -> io::Result<Received> {
        self.storage.exchange(method, &format!("/{}{below}", self.name), parameters, body).await
    }

    fn refused(&self, answer: &Received) -> io::Error {
        let body = String::from_utf8_lossy(&answer.body);
        io::Error::other(format!("queue {}: {} {body}", self.name, answer.head.first))
    }

    fn checked(&self, answer: Received) -> io::Result<Received> {
        let is_fine = matches!(answer.head.status(), Some(200..=299));
        if is_fine { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// Creates the queue if it is not there.
    ///
    /// # Errors
    /// The service refused.
    pub async fn create(&self) -> io::Result<()> {
        self.checked(self.send("PUT", "", "", "").await?).map(drop)
    }

    /// Adds a message that stands in the queue as `text`, and creates the queue if need be.
    ///
    /// # Errors
    /// The service refused.
    pub async fn put(&self, text: &str) -> io::Result<()> {
        let body = format!(
            "<QueueMessage><MessageText>{}</MessageText></QueueMessage>",
            xml::escaped(text)
        );
        let mut answer = self.send("POST", "/messages", "", &body).await?;
        if answer.head.status() == Some(404) {
            self.create().await?;
            answer = self.send("POST", "/messages", "", &body).await?;
        }
        self.checked(answer).map(drop)
    }

    /// Takes up to `most` visible messages and hides them for `hidden`.
    ///
    /// # Errors
    /// The service refused. A queue that does not exist is only empty.
    pub async fn receive(&self, most: usize, hidden: Duration) -> io::Result<Vec<Message>> {
        let parameters =
            format!("numofmessages={most}&visibilitytimeout={}", hidden.as_secs().max(1));
        self.messages(&parameters).await
    }

    /// Looks at up to `most` visible messages.
    ///
    /// # Errors
    /// The service refused. A queue that does not exist is only empty.
    pub async fn peek(&self, most: usize) -> io::Result<Vec<Message>> {
        self.messages(&format!("numofmessages={most}&peekonly=true")).await
    }

    async fn messages(&self, parameters: &str) -> io::Result<Vec<Message>> {
        let answer = self.send("GET", "/messages", parameters, "").await?;
        if answer.head.status() == Some(404) {
            return Ok(Vec::new());
        }
        let body = self.checked(answer)?.body;
        let xml = String::from_utf8_lossy(&body);
        Ok(xml.split("<QueueMessage>").skip(1).map(Message::from_xml).collect())
    }

    /// How many messages there are, hidden ones too.
    ///
    /// # Errors
    /// The service refused. A queue that does not exist is only empty.
    pub async fn count(&self) -> io::Result<usize> {
        let answer = self.send("GET", "", "comp=metadata", "").await?;
        if answer.head.status() == Some(404) {
            return Ok(0);
        }
        let answer = self.checked(answer)?;
        let count = answer.head.header("x-ms-approximate-messages-count");
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        count.and_then(|count| count.parse().ok()).ok_or_else(missing)
    }

    /// Deletes a message that was received.
    ///
    /// # Errors
    /// The service refused, for example because somebody else received it meanwhile.
    pub async fn delete(&self, message: &Message) -> io::Result<()> {
        let parameters = format!("popreceipt={}", percent_encoded(&message.pop_receipt));
        let below = format!("/messages/{}", message.id);
        self.checked(self.send("DELETE", &below, &parameters, "").await?).map(drop)
    }

    /// Makes a message that was received visible again after `hidden`.
    ///
    /// # Errors
    /// The service refused, for example because somebody else received it meanwhile.
    pub async fn release(&self, message: &Message, hidden: Duration) -> io::Result<()> {
        let receipt = percent_encoded(&message.pop_receipt);
        let parameters = format!("popreceipt={receipt}&visibilitytimeout={}", hidden.as_secs());
        let below = format!("/messages/{}", message.id);
        self.checked(self.send("PUT", &below, &parameters, "").await?).map(drop)
    }

    /// Deletes all messages.
    ///
    /// # Errors
    /// The service refused. A queue that does not exist is empty already.
    pub async fn clear(&self) -> io::Result<()> {
        let answer = self.send("DELETE", "/messages", "", "").await?;
        if answer.head.status() == Some(404) { Ok(()) } else { self.checked(answer).map(drop) }
    }
}

impl Message {
    fn from_xml(xml: &str) -> Self {
        let text = |name: &str| {
            let after = xml.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
            xml::unescaped(after.split_once("</").map_or("", |(text, _)| text))
        };
        let time = |name: &str| clock::parse_rfc1123(&text(name)).unwrap_or_else(clock::forever);
        Self {
            id: text("MessageId"),
            pop_receipt: text("PopReceipt"),
            dequeue_count: text("DequeueCount").parse().unwrap_or_default(),
            text: text("MessageText"),
            inserted: time("InsertionTime"),
            expires: time("ExpirationTime"),
            visible_again: time("TimeNextVisible"),
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let encode = |b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::percent_decoded;

    #[test]
    fn a_receipt_survives_its_way_through_a_query() {
        let receipt = "AgAAAAM/AA+gtnj8x+1QE=";
        assert_eq!(percent_decoded(&percent_encoded(receipt)), receipt);
    }
}
