//! The client against answers that no emulator gives: busy, broken, endless, silent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind as CoreKind,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, headers::Headers},
    time::Duration as TokenLife,
};
use azure_data_tables::{
    Credential, Error, ErrorKind, OffsetDateTime, QueryOptions, Secret, TableClient,
    TableClientOptions, Transaction, Url, http_client,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const ENDPOINT: &str = "https://acc.table.core.windows.net";

/// What the transport does with a request.
#[derive(Debug)]
enum Script {
    Answer(u16, &'static [(&'static str, &'static str)], Vec<u8>),
    Fail(CoreKind),
    Silence,
}

/// A transport that plays its script and notes each request as `METHOD url authorization`.
#[derive(Debug)]
struct Scripted {
    script: Script,
    seen: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Self { script, seen: Mutex::default() })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl HttpClient for Scripted {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let authorization = request
            .headers()
            .iter()
            .find(|(name, _)| name.as_str() == "authorization")
            .map_or("", |(_, value)| value.as_str());
        let line = format!("{} {} {authorization}", request.method().as_str(), request.url());
        self.seen.lock().unwrap().push(line);
        match &self.script {
            Script::Answer(status, given, body) => {
                let mut headers = Headers::new();
                for (name, value) in *given {
                    headers.insert(*name, *value);
                }
                let status = StatusCode::from(*status);
                Ok(AsyncRawResponse::from_bytes(status, headers, body.clone()))
            }
            Script::Fail(kind) => Err(azure_core::Error::with_message(kind.clone(), "broken off")),
            Script::Silence => std::future::pending().await,
        }
    }
}

/// A credential that has a token, or none.
#[derive(Debug)]
struct Tokens(Option<&'static str>);

#[async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://storage.azure.com/.default"]);
        match self.0 {
            Some(token) => {
                Ok(AccessToken::new(token, OffsetDateTime::now_utc() + TokenLife::hours(1)))
            }
            None => Err(azure_core::Error::with_message(CoreKind::Credential, "no identity here")),
        }
    }
}

fn client(transport: &Arc<Scripted>, credential: Credential) -> TableClient {
    let limit = match transport.script {
        Script::Silence => Duration::from_millis(1),
        _ => Duration::from_secs(60),
    };
    let options = TableClientOptions::default().with_timeout(limit);
    let endpoint = Url::parse(ENDPOINT).unwrap();
    TableClient::new(endpoint, "orders", credential, transport.clone(), options).unwrap()
}

/// The errors of a write and a read over the same script, and the number of requests they made.
async fn write_and_read(script: Script) -> (Error, Error, usize) {
    let transport = Scripted::new(script);
    let key = Credential::SharedKey { account: "acc".to_owned(), key: Secret::new("c2VjcmV0") };
    let client = client(&transport, key);
    let write = client.upsert("p", "r", &json!({})).await.unwrap_err();
    let read = client.get::<Value>("p", "r", None).await.unwrap_err();
    (write, read, transport.seen().len())
}

#[tokio::test]
async fn a_busy_service_is_asked_once_and_its_wish_to_wait_is_passed_on() {
    let busy = br#"{"odata.error":{"code":"ServerBusy","message":{"value":"Busy."}}}"#.to_vec();
    let (write, read, requests) =
        write_and_read(Script::Answer(503, &[("retry-after", "7")], busy)).await;
    for error in [write, read] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn a_failed_server_and_a_broken_connection_leave_only_writes_in_doubt() {
    for script in [
        Script::Answer(500, &[], Vec::new()),
        Script::Answer(504, &[], b"<html>gateway</html>".to_vec()),
        Script::Fail(CoreKind::Io),
        Script::Silence,
    ] {
        let (write, read, requests) = write_and_read(script).await;
        assert_eq!((write.kind(), read.kind()), (ErrorKind::Ambiguous, ErrorKind::Unavailable));
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn a_connection_that_never_was_leaves_nothing_in_doubt() {
    let (write, read, _) = write_and_read(Script::Fail(CoreKind::Connection)).await;
    assert_eq!((write.kind(), read.kind()), (ErrorKind::Unavailable, ErrorKind::Unavailable));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (_, read, _) = write_and_read(Script::Answer(200, &[], vec![b' '; 17 << 20])).await;
    assert_eq!(read.kind(), ErrorKind::Unavailable);
    assert!(read.to_string().contains("16 MiB"), "{read}");
}

#[tokio::test]
async fn a_success_that_says_nothing_is_ambiguous_for_a_write_and_no_entity_for_a_read() {
    let (write, read, _) = write_and_read(Script::Answer(200, &[], b"<html>".to_vec())).await;
    assert_eq!((write.kind(), read.kind()), (ErrorKind::Ambiguous, ErrorKind::Decode));
    let empty_tag = Script::Answer(204, &[("etag", "")], Vec::new());
    assert_eq!(write_and_read(empty_tag).await.0.kind(), ErrorKind::Ambiguous);
}

#[tokio::test]
async fn a_redirect_is_an_error_and_is_not_followed() {
    let elsewhere = Script::Answer(307, &[("location", "https://elsewhere")], Vec::new());
    let (write, _, requests) = write_and_read(elsewhere).await;
    assert_eq!((write.kind(), write.status(), requests), (ErrorKind::Rejected, Some(307), 2));
}

#[tokio::test]
async fn a_token_travels_as_bearer() {
    let transport = Scripted::new(Script::Answer(200, &[], br#"{"value":[]}"#.to_vec()));
    let client = client(&transport, Credential::Token(Arc::new(Tokens(Some("t0ken")))));
    client.query::<Value>(&QueryOptions::default()).await.unwrap();
    assert_eq!(transport.seen(), [format!("GET {ENDPOINT}/orders() Bearer t0ken")]);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let transport = Scripted::new(Script::Answer(204, &[], Vec::new()));
    let client = client(&transport, Credential::Token(Arc::new(Tokens(None))));
    let error = client.upsert("p", "r", &json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("no identity here"), "{error}");
    assert_eq!(transport.seen(), [""; 0]);
}

#[test]
fn a_token_is_never_sent_over_plain_http() {
    let endpoint = Url::parse("http://127.0.0.1:10002/acc").unwrap();
    let credential = Credential::Token(Arc::new(Tokens(Some("t0ken"))));
    let (http, options) = (Scripted::new(Script::Silence), TableClientOptions::default());
    let refused = TableClient::new(endpoint, "orders", credential, http, options);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_shared_access_signature_stands_in_the_address_and_nowhere_else() {
    let transport = Scripted::new(Script::Answer(403, &[], Vec::new()));
    let client = client(&transport, Credential::Sas(Secret::new("?sv=1&sig=a%2Bb%3D")));
    let first = QueryOptions { top: Some(1), ..QueryOptions::default() };
    client.query::<Value>(&first).await.unwrap_err();
    let mut transaction = Transaction::new("p");
    transaction.insert("r", &json!({})).unwrap();
    client.transact(&transaction).await.unwrap_err();
    assert_eq!(
        transport.seen(),
        [
            format!("GET {ENDPOINT}/orders()?$top=1&sv=1&sig=a%2Bb%3D "),
            format!("POST {ENDPOINT}/$batch?sv=1&sig=a%2Bb%3D "),
        ]
    );
}

/// Set in the child that [`without_certificates_there_is_an_error_and_no_panic`] starts.
const CHILD: &str = "TABLES_TEST_CHILD";

#[test]
fn without_certificates_there_is_an_error_and_no_panic() {
    if std::env::var_os(CHILD).is_some() {
        let error = http_client(Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("CA certificates"), "{error}");
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_certificates_there_is_an_error_and_no_panic"])
        .env(CHILD, "1")
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/dev/null")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
