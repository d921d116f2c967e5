//! The client against a real table service: Azurite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use azure_core::hmac::hmac_sha256;
use azure_data_tables::{
    ConnectionString, Credential, Error, ErrorKind, Etag, Filter, IfMatch, QueryOptions, Secret,
    TableClient, TableClientOptions, Transaction, Url, http_client,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, copy},
    net::{TcpListener, TcpStream},
};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default)]
    due_ms: i64,
}

fn order(state: &str) -> Order {
    Order { state: state.to_owned(), note: None, due_ms: 1_795_000_000_000 }
}

fn http() -> Arc<reqwest::Client> {
    http_client(Duration::from_secs(60)).unwrap()
}

fn patient() -> TableClientOptions {
    TableClientOptions::default().with_timeout(Duration::from_secs(60))
}

fn client(table: &str) -> TableClient {
    let storage = ConnectionString::parse(&azurite::shared().connection_string()).unwrap();
    TableClient::from_connection_string(&storage, table, http(), patient()).unwrap()
}

async fn created(table: &str) -> TableClient {
    let client = client(table);
    assert!(client.create_table().await.unwrap());
    client
}

fn at(endpoint: &str, table: &str, credential: Credential) -> TableClient {
    TableClient::new(Url::parse(endpoint).unwrap(), table, credential, http(), patient()).unwrap()
}

fn shared_key(key: &'static str) -> Credential {
    let account = azurite::shared().account().to_owned();
    Credential::SharedKey { account, key: Secret::new(key) }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

async fn rows(client: &TableClient, partition: &str) -> Vec<String> {
    let options =
        QueryOptions { filter: Some(Filter::partition(partition)), ..QueryOptions::default() };
    let page = client.query::<serde_json::Value>(&options).await.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|entity| entity.row_key).collect()
}

#[tokio::test]
async fn a_table_is_created_once() {
    let client = created("createdOnce").await;
    assert!(!client.create_table().await.unwrap());
}

#[tokio::test]
async fn an_entity_is_inserted_read_replaced_merged_and_deleted() {
    let client = created("crud").await;
    let inserted = client.insert("p", "r", &order("new")).await.unwrap();
    let read = client.get::<Order>("p", "r", None).await.unwrap().unwrap();
    assert_eq!((read.partition_key.as_str(), read.row_key.as_str()), ("p", "r"));
    assert_eq!((&read.etag, &read.properties), (&inserted, &order("new")));

    let noted = Order { note: Some("n".to_owned()), ..order("paid") };
    let replaced = client.replace("p", "r", &noted, &IfMatch::Tag(read.etag)).await.unwrap();
    let sent = serde_json::json!({"state": "sent"});
    let merged = client.merge("p", "r", &sent, &IfMatch::Tag(replaced.clone())).await.unwrap();
    assert_ne!(merged, replaced);
    let read = client.get::<Order>("p", "r", None).await.unwrap().unwrap();
    assert_eq!(read.properties, Order { state: "sent".to_owned(), ..noted });
    assert_eq!(read.etag, merged);

    client.delete("p", "r", &IfMatch::Tag(merged)).await.unwrap();
    assert_eq!(client.get::<Order>("p", "r", None).await.unwrap(), None);
}

#[tokio::test]
async fn an_upsert_writes_whether_or_not_the_entity_exists() {
    let client = created("upserts").await;
    let noted = Order { note: Some("n".to_owned()), ..order("new") };
    client.upsert_merge("p", "r", &noted).await.unwrap();
    client.upsert_merge("p", "r", &order("paid")).await.unwrap();
    let read = client.get::<Order>("p", "r", None).await.unwrap().unwrap();
    assert_eq!(read.properties, Order { state: "paid".to_owned(), ..noted });

    client.upsert("p", "r", &order("sent")).await.unwrap();
    client.upsert("p", "other", &order("new")).await.unwrap();
    let read = client.get::<Order>("p", "r", None).await.unwrap().unwrap();
    assert_eq!(read.properties, order("sent"));
    assert_eq!(rows(&client, "p").await, ["other", "r"]);
}

#[tokio::test]
async fn a_selection_brings_the_named_properties_and_the_version() {
    let client = created("selections").await;
    let etag = client.insert("p", "r", &order("new")).await.unwrap();
    let state = Some(&["state"][..]);
    let read = client.get::<serde_json::Value>("p", "r", state).await.unwrap().unwrap();
    assert_eq!((read.etag, read.properties), (etag, serde_json::json!({"state": "new"})));

    let options =
        QueryOptions { select: Some(vec!["due_ms".to_owned()]), ..QueryOptions::default() };
    let page = client.query::<serde_json::Value>(&options).await.unwrap();
    assert_eq!(page.items[0].properties, serde_json::json!({"due_ms": 1_795_000_000_000_i64}));
}

#[tokio::test]
async fn a_write_for_another_version_is_refused() {
    let client = created("versions").await;
    let first = IfMatch::Tag(client.insert("p", "r", &order("new")).await.unwrap());
    client.replace("p", "r", &order("paid"), &first).await.unwrap();

    let stale = ErrorKind::PreconditionFailed;
    assert_eq!(kind(client.replace("p", "r", &order("x"), &first).await), stale);
    assert_eq!(kind(client.merge("p", "r", &order("x"), &first).await), stale);
    assert_eq!(kind(client.delete("p", "r", &first).await), stale);
    let read = client.get::<Order>("p", "r", None).await.unwrap().unwrap();
    assert_eq!(read.properties.state, "paid");

    client.replace("p", "r", &order("sent"), &IfMatch::Any).await.unwrap();
    let error = client.insert("p", "r", &order("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EntityAlreadyExists);
    assert_eq!((error.status(), error.code()), (Some(409), Some("EntityAlreadyExists")));
}

#[tokio::test]
async fn what_is_missing_is_named_entity_or_table() {
    let client = created("missing").await;
    let tag = IfMatch::Tag(Etag::from("W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\""));
    for if_match in [IfMatch::Any, tag] {
        let replaced = client.replace("p", "r", &order("x"), &if_match).await;
        assert_eq!(kind(replaced), ErrorKind::NotFound);
        assert_eq!(kind(client.delete("p", "r", &if_match).await), ErrorKind::NotFound);
    }
    let nowhere = self::client("neverCreated");
    assert_eq!(kind(nowhere.insert("p", "r", &order("x")).await), ErrorKind::TableNotFound);
    assert_eq!(kind(nowhere.get::<Order>("p", "r", None).await), ErrorKind::TableNotFound);
    let all = QueryOptions::default();
    assert_eq!(kind(nowhere.query::<Order>(&all).await), ErrorKind::TableNotFound);
}

#[tokio::test]
async fn every_allowed_character_of_a_key_comes_back() {
    let client = created("keys").await;
    let keys = [
        "",
        "o'brien",
        "a''b",
        "'",
        "a%b",
        "100%25",
        "ü",
        "😀",
        "(x)",
        "a&b",
        "a+b c",
        "a,b=c",
        "..",
        "sha256:0f",
        "reg.azurecr.io|team%2Fapp",
        "!~*-_.$@{}[]\"<>^`;",
        "%7E+%2A%20",
    ];
    for key in keys {
        let etag = client.insert(key, key, &order(key)).await.unwrap();
        let read = client.get::<Order>(key, key, None).await.unwrap().unwrap();
        assert_eq!((read.row_key.as_str(), read.properties.state.as_str()), (key, key));
        assert_eq!(rows(&client, key).await, [key]);
        client.replace(key, key, &order("x"), &IfMatch::Tag(etag)).await.unwrap();
        let mut transaction = Transaction::new(key);
        transaction.delete(key, &IfMatch::Any).unwrap();
        client.transact(&transaction).await.unwrap();
        assert_eq!(rows(&client, key).await, [""; 0]);
    }
    for key in ["a/b", "a\\b", "a#b", "a?b", "a\tb"] {
        assert_eq!(kind(client.insert(key, "r", &order("x")).await), ErrorKind::Limit);
        assert_eq!(kind(client.get::<Order>("p", key, None).await), ErrorKind::Limit);
    }
}

#[tokio::test]
async fn a_query_is_read_page_by_page_within_a_range_of_keys() {
    let client = created("pages").await;
    let mut transaction = Transaction::new("p");
    for row in 0..100 {
        transaction.insert(&format!("{row:02}"), &order("new")).unwrap();
    }
    client.transact(&transaction).await.unwrap();
    client.insert("q", "07", &order("new")).await.unwrap();

    let filter = Filter::partition("p").rows_from("03").rows_before("20");
    let mut options =
        QueryOptions { filter: Some(filter), top: Some(5), ..QueryOptions::default() };
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = client.query::<Order>(&options).await.unwrap();
        assert!(page.items.len() <= 5);
        found.extend(page.items.into_iter().map(|entity| entity.row_key));
        pages += 1;
        options.continuation = page.next;
        if options.continuation.is_none() {
            break;
        }
    }
    assert_eq!(found, (3..20).map(|row| format!("{row:02}")).collect::<Vec<_>>());
    assert!(pages >= 4);
}

#[tokio::test]
async fn a_transaction_makes_all_its_writes() {
    let client = created("transactions").await;
    let old = client.insert("p", "delete", &order("old")).await.unwrap();
    let replace = client.insert("p", "replace", &order("old")).await.unwrap();
    let merge = client.insert("p", "merge", &order("old")).await.unwrap();
    let strange = "ü'\r\n--batch";
    let mut transaction = Transaction::new("p");
    transaction.insert("insert", &order("new")).unwrap();
    transaction.replace("replace", &order("new"), &IfMatch::Tag(replace)).unwrap();
    transaction.upsert("upsert", &order(strange)).unwrap();
    transaction.merge("merge", &order("new"), &IfMatch::Tag(merge)).unwrap();
    transaction.upsert_merge("upsert-merge", &order("new")).unwrap();
    transaction.delete("delete", &IfMatch::Tag(old)).unwrap();

    let tags = client.transact(&transaction).await.unwrap();
    let written = ["insert", "replace", "upsert", "merge", "upsert-merge"];
    for (row, tag) in written.into_iter().zip(&tags) {
        let read = client.get::<Order>("p", row, None).await.unwrap().unwrap();
        assert_eq!(Some(&read.etag), tag.as_ref(), "{row}");
        let state = if row == "upsert" { strange } else { "new" };
        assert_eq!(read.properties.state, state);
    }
    assert_eq!((tags.len(), tags.last()), (6, Some(&None)));
    assert_eq!(client.get::<Order>("p", "delete", None).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_transaction_names_the_operation_and_writes_nothing() {
    type Add = fn(&mut Transaction, &IfMatch) -> Result<(), Error>;
    let failing: [(Add, ErrorKind); 5] = [
        (|t, _| t.insert("there", &order("x")).map(drop), ErrorKind::EntityAlreadyExists),
        (|t, s| t.replace("there", &order("x"), s).map(drop), ErrorKind::PreconditionFailed),
        (|t, s| t.merge("there", &order("x"), s).map(drop), ErrorKind::PreconditionFailed),
        (|t, s| t.delete("there", s).map(drop), ErrorKind::PreconditionFailed),
        (|t, _| t.delete("gone", &IfMatch::Any).map(drop), ErrorKind::NotFound),
    ];
    let client = created("rollbacks").await;
    let stale = IfMatch::Tag(client.insert("p", "there", &order("old")).await.unwrap());
    client.replace("p", "there", &order("now"), &IfMatch::Any).await.unwrap();
    for (add, expected) in failing {
        let mut transaction = Transaction::new("p");
        transaction.insert("first", &order("x")).unwrap();
        transaction.upsert("second", &order("x")).unwrap();
        add(&mut transaction, &stale).unwrap();
        transaction.insert("last", &order("x")).unwrap();
        let error = client.transact(&transaction).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (expected, Some(2)), "{error}");
        assert_eq!(rows(&client, "p").await, ["there"]);
        let read = client.get::<Order>("p", "there", None).await.unwrap().unwrap();
        assert_eq!(read.properties.state, "now");
    }
}

#[tokio::test]
async fn of_writers_with_the_same_version_exactly_one_wins() {
    let client = created("races").await;
    let mut tag = client.insert("p", "r", &order("0")).await.unwrap();
    for round in 0..10 {
        let if_match = IfMatch::Tag(tag);
        let claim = format!("claim{round}");
        let orders: Vec<Order> = (0..8).map(|writer| order(&writer.to_string())).collect();
        let replaced = join_all(orders.iter().map(|o| client.replace("p", "r", o, &if_match)));
        let claimed = join_all(orders.iter().map(|order| async {
            let mut transaction = Transaction::new("p");
            transaction.insert(&claim, order).unwrap();
            client.transact(&transaction).await
        }));
        let (replaced, claimed) = tokio::join!(replaced, claimed);

        let (mut won, lost): (Vec<_>, Vec<_>) = replaced.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        assert!(lost.into_iter().all(|lost| kind(lost) == ErrorKind::PreconditionFailed));
        let (first, late): (Vec<_>, Vec<_>) = claimed.into_iter().partition(Result::is_ok);
        assert_eq!((first.len(), late.len()), (1, 7));
        assert!(late.into_iter().all(|late| kind(late) == ErrorKind::EntityAlreadyExists));
        tag = won.remove(0).unwrap();
    }
}

/// An account SAS; the string to sign is that of version 2018-11-09.
/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>
fn account_sas(permissions: &str) -> Credential {
    let (account, key) = (azurite::shared().account(), azurite::shared().key());
    let until = "2099-01-01T00:00:00Z";
    let text = format!("{account}\n{permissions}\nt\nsco\n\n{until}\n\nhttps,http\n2018-11-09\n");
    let signature = hmac_sha256(&text, &Secret::new(key)).unwrap();
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    Credential::Sas(Secret::new(format!(
        "?sv=2018-11-09&ss=t&srt=sco&sp={permissions}&se={}&spr=https,http&sig={}",
        encode(until),
        encode(&signature)
    )))
}

#[tokio::test]
async fn a_shared_access_signature_gives_exactly_its_rights() {
    let owner = created("signatures").await;
    let endpoint = azurite::shared().table_endpoint();
    let all = at(&endpoint, "signatures", account_sas("rwdlacu"));
    let etag = all.insert("p", "o'r", &order("new")).await.unwrap();
    let read = all.get::<Order>("p", "o'r", Some(&["state"])).await.unwrap().unwrap();
    assert_eq!(read.etag, etag);
    let mut transaction = Transaction::new("p");
    transaction.delete("o'r", &IfMatch::Tag(etag)).unwrap().insert("2", &order("x")).unwrap();
    all.transact(&transaction).await.unwrap();
    assert_eq!(rows(&all, "p").await, ["2"]);

    let reader = at(&endpoint, "signatures", account_sas("r"));
    assert_eq!(rows(&reader, "p").await, ["2"]);
    let error = reader.insert("p", "3", &order("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error} {error:?} {reader:?}").contains("sig="));
    assert_eq!(rows(&owner, "p").await, ["2"]);
}

#[tokio::test]
async fn a_wrong_key_is_unauthorized() {
    let wrong = at(&azurite::shared().table_endpoint(), "wrongKey", shared_key("dG9wc2VjcmV0"));
    let error = wrong.create_table().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(403)), "{error}");
    assert!(!format!("{error} {error:?} {wrong:?}").contains("dG9w"));
}

#[tokio::test]
async fn a_service_that_is_away_leaves_nothing_in_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/acc", listener.local_addr().unwrap());
    drop(listener);
    let away = at(&endpoint, "away", Credential::Sas(Secret::new("sig=topsecret")));
    let error = away.insert("p", "r", &order("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!format!("{error} {error:?}").contains("topsecret"), "{error:?}");
}

/// Passes one connection on to Azurite and hangs up instead of passing on the answer.
async fn swallowing_proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let azurite = Url::parse(&azurite::shared().table_endpoint()).unwrap();
    let target = (azurite.host_str().unwrap().to_owned(), azurite.port().unwrap());
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(target).await.unwrap();
        let (mut requests, _) = near.split();
        let (mut answers, mut forward) = far.split();
        tokio::select! {
            _ = copy(&mut requests, &mut forward) => {}
            first = answers.read_u8() => assert_eq!(first.unwrap(), b'H'),
        }
    });
    format!("http://{address}{}", azurite.path())
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_ambiguous_and_may_have_happened() {
    let client = created("ambiguous").await;
    let key = shared_key(azurite::shared().key());

    let lost = at(&swallowing_proxy().await, "ambiguous", key.clone());
    assert_eq!(kind(lost.insert("p", "r", &order("x")).await), ErrorKind::Ambiguous);
    assert_eq!(rows(&client, "p").await, ["r"]);

    let mut transaction = Transaction::new("p");
    transaction.insert("s", &order("x")).unwrap();
    let lost = at(&swallowing_proxy().await, "ambiguous", key.clone());
    assert_eq!(kind(lost.transact(&transaction).await), ErrorKind::Ambiguous);
    assert_eq!(rows(&client, "p").await, ["r", "s"]);

    let lost = at(&swallowing_proxy().await, "ambiguous", key);
    assert_eq!(kind(lost.get::<Order>("p", "r", None).await), ErrorKind::Unavailable);
}

#[tokio::test]
async fn every_answer_tells_the_time_of_the_service() {
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let options = patient().with_on_date(move |date| {
        assert!(date.unix_timestamp() > 1_600_000_000);
        count.fetch_add(1, Ordering::SeqCst);
    });
    let storage = ConnectionString::parse(&azurite::shared().connection_string()).unwrap();
    let client = TableClient::from_connection_string(&storage, "dates", http(), options).unwrap();
    client.create_table().await.unwrap();
    client.insert("p", "r", &order("x")).await.unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 2);
    client.insert("p", "r", &order("x")).await.unwrap_err();
    client.get::<Order>("p", "none", None).await.unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 4);
}
