//! A client that does nothing by itself.

use azure_fake::{Fake, RESOURCE_GROUP, SUBSCRIPTION};
use functions_host::wire::{Head, exchange};
use serde_json::Value;
use std::io;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    head: Head,
    pub(crate) body: Value,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// `error.code` of ARM.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// Sends a request to a URL and reads the answer.
pub(crate) async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Received> {
    let (address, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut head = Head { first: format!("{method} /{target} HTTP/1.1"), ..Head::default() };
    let length = body.len().to_string();
    for (name, value) in
        headers.iter().chain([("Host", address), ("Content-Length", &*length)].iter())
    {
        head.headers.push(((*name).to_owned(), (*value).to_owned()));
    }
    let received = exchange(address.parse().unwrap(), &head, body.as_bytes()).await?;
    let status = received.head.status().unwrap();
    let body = serde_json::from_slice(&received.body).unwrap_or_default();
    Ok(Received { status, head: received.head, body })
}

/// Speaks to ARM with a token that it got at its start.
#[derive(Debug)]
pub(crate) struct Arm {
    url: String,
    pub(crate) token: String,
}

impl Arm {
    pub(crate) fn new(fake: &Fake) -> Self {
        Self { url: fake.arm_url(), token: fake.token() }
    }

    /// A request to a whole URL.
    pub(crate) async fn at(&self, method: &str, url: &str, body: &str) -> io::Result<Received> {
        let authorization = format!("Bearer {}", self.token);
        send(method, url, &[("Authorization", &authorization)], body).await
    }

    /// A request about a group in the usual resource group, or what is below it.
    pub(crate) async fn group(&self, method: &str, below: &str, body: &Value) -> Received {
        self.try_group(method, below, body).await.unwrap()
    }

    pub(crate) async fn try_group(
        &self,
        method: &str,
        below: &str,
        body: &Value,
    ) -> io::Result<Received> {
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        let url = format!(
            "{}/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/\
             Microsoft.ContainerInstance/containerGroups/{path}?api-version=2025-09-01&{query}",
            self.url
        );
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.at(method, &url, &body).await
    }

    pub(crate) async fn get(&self, name: &str) -> Received {
        self.group("GET", name, &Value::Null).await
    }

    pub(crate) async fn put(&self, name: &str, body: &Value) -> Received {
        self.group("PUT", name, body).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Received {
        self.group("DELETE", name, &Value::Null).await
    }

    /// GETs a group until no operation is under way.
    pub(crate) async fn settled(&self, name: &str) -> Received {
        loop {
            let received = self.get(name).await;
            let state = received.body["properties"]["provisioningState"].as_str().unwrap();
            if ["Succeeded", "Failed"].contains(&state) {
                return received;
            }
        }
    }
}
