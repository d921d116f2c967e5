//! What Table Storage answers: `status`, header lines, an empty line, the body.

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use azure_data_tables::{
    Credential, QueryOptions, Secret, TableClient, TableClientOptions, Transaction, Url,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::Arc;

const KEY: &str = "Y2FuYXJ5LWtleQ==";

thread_local! {
    static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"),
    );
}

/// A transport that answers the same to whatever it is asked.
#[derive(Debug)]
struct Says {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

#[async_trait]
impl HttpClient for Says {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut headers = Headers::new();
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(self.status), headers, self.body.clone()))
    }
}

impl Says {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 2..]));
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.trim().parse().ok());
        // A transport lets no other names through.
        let headers =
            lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.is_ascii());
        Self {
            status: status.filter(|status| (100..600).contains(status)).unwrap_or(200),
            headers: headers
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_vec(),
        }
    }
}

pub fn table_answer(bytes: &[u8]) {
    let says = Arc::new(Says::read(bytes));
    let key = Credential::SharedKey { account: "acc".to_owned(), key: Secret::new(KEY) };
    let endpoint = Url::parse("https://acc.table.core.windows.net").expect("an address");
    let client = TableClient::new(endpoint, "fanin", key, says, TableClientOptions::default());
    let client = client.expect("a client");
    RUNTIME.with_borrow(|runtime| runtime.block_on(ask(&client)));
}

/// Every error is one line that shows no key.
async fn ask(client: &TableClient) {
    let mut transaction = Transaction::new("p");
    transaction.insert("a", &json!({ "doc": "1" })).expect("an operation");
    transaction.upsert("b", &json!({ "doc": "2" })).expect("an operation");
    let errors = [
        client.create_table().await.err(),
        client.get::<Value>("p", "a", None).await.err(),
        client.upsert("p", "a", &json!({ "doc": "1" })).await.err(),
        client.query::<Value>(&QueryOptions::default()).await.err(),
        client.transact(&transaction).await.map(|tags| assert_eq!(tags.len(), 2)).err(),
    ];
    for error in errors.into_iter().flatten() {
        let said = error.to_string();
        assert!(!said.contains(KEY) && !said.chars().any(char::is_control), "{said:?}");
        assert!(said.chars().count() < 700, "{said}");
    }
}
