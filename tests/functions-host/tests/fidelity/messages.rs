//! Queue messages: those that trigger a function, and those that a function puts out.

use std::time::Duration;

use azurite::Azurite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use functions_host::json::Json;
use functions_host::{Host, QueueClient, Storage};

use crate::app_with;
use crate::compare::assert_calls;
use crate::fake::{FakeHandler, ready};
use crate::over_http::{LONG_TIMEOUT, send};
use crate::recording::{HandlerAnswer, Recording, folder};

pub(crate) fn queue(azurite: &Azurite, name: &str) -> QueueClient {
    Storage::from_connection_string(&azurite.connection_string()).unwrap().queue(name)
}

/// Takes all visible messages; their texts as stored, sorted.
async fn take_all(queue: &QueueClient) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let messages = queue.receive(32, Duration::from_secs(60)).await.unwrap();
        if messages.is_empty() {
            texts.sort();
            return texts;
        }
        for message in messages {
            queue.delete(&message).await.unwrap();
            texts.push(message.text);
        }
    }
}

async fn host(handler: &FakeHandler, azurite: &Azurite) -> Host {
    let connection = azurite.connection_string();
    let host = app_with(handler.address).setting("AzureWebJobsStorage", connection);
    host.setting(LONG_TIMEOUT.0, LONG_TIMEOUT.1).start().await.unwrap()
}

#[tokio::test]
async fn messages_are_handled_or_end_in_the_poison_queue_as_recorded() {
    let azurite = Azurite::start();
    let handler = FakeHandler::start().await;
    let host = host(&handler, &azurite).await;
    let queue = queue(&azurite, "notify");
    for recording in folder("queue") {
        handler.answer(recording.handler_answered());
        queue.put(&stored_text(&recording)).await.unwrap();
        while host.pump_queue().await.unwrap() > 0 {}
        assert_calls(&recording.name, &recording.calls(), &handler.calls());
        let poison = take_all(&queue.poison()).await;
        assert_eq!(poison, recording.texts("poison_queue_afterwards"), "{}", recording.name);
        assert_eq!(queue.count().await.unwrap(), 0, "{}", recording.name);
    }
}

fn stored_text(recording: &Recording) -> String {
    let bytes = recording.bytes("put_in_queue.text");
    let is_encoded = *recording.at("put_in_queue.base64") == true.into();
    if is_encoded { BASE64.encode(bytes) } else { String::from_utf8(bytes).unwrap() }
}

#[tokio::test]
async fn queue_outputs_become_messages_as_recorded() {
    let azurite = Azurite::start();
    let handler = FakeHandler::start().await;
    let host = host(&handler, &azurite).await;
    let queue = queue(&azurite, "wake");
    for recording in folder("out") {
        let answer = recording.handler_answered();
        let is_excerpt = recording.text("handler_answered.body").contains('…');
        handler.answer(answer);
        let answer = send(host.address(), "POST /api/ImagePush", &[], "content-length", b"{}");
        let name = &recording.name;
        assert_eq!(answer.await.unwrap().head[0], recording.text("host_answered"), "{name}");
        let stored = take_all(&queue).await;
        let decoded = stored.iter().map(|text| BASE64.decode(text).unwrap());
        let mut recorded = recording.texts("messages_in_queue_base64");
        recorded.sort();
        if is_excerpt {
            assert_eq!(stored.len(), 100, "{name}");
            assert!(recorded.iter().all(|text| stored.contains(text)), "{name}");
            let decoded: Vec<_> = decoded.collect();
            let recorded = recording.texts("messages_in_queue_decoded");
            assert!(recorded.iter().all(|text| decoded.contains(&text.as_bytes().to_vec())));
        } else {
            assert_eq!(stored, recorded, "{name}");
            let mut decoded: Vec<_> = decoded.collect();
            let count = recording.at("messages_in_queue_decoded").elements().len();
            let read = |at| recording.decoded_message(at);
            let mut recorded: Vec<_> = (0..count).map(read).collect();
            decoded.sort();
            recorded.sort();
            assert_eq!(decoded, recorded, "{name}");
        }
    }
}

#[tokio::test]
async fn without_base64_texts_stand_in_the_queue_as_they_are() {
    let azurite = Azurite::start();
    let handler = FakeHandler::start().await;
    let host = app_with(handler.address)
        .setting("AzureWebJobsStorage", azurite.connection_string())
        .setting("AzureFunctionsJobHost__extensions__queues__messageEncoding", "none");
    let host = host.start().await.unwrap();
    let text = r#"{"a":"<&> größe\r\n"}"#;
    let answer = format!(r#"{{"Outputs":{{"wake":[{}]}}}}"#, Json::from(text).compact());
    handler.answer(HandlerAnswer { body: answer.into_bytes(), ..ready() });
    send(host.address(), "POST /api/ImagePush", &[], "none", b"").await.unwrap();
    assert_eq!(take_all(&queue(&azurite, "wake")).await, [text]);
    handler.calls();
    queue(&azurite, "notify").put(text).await.unwrap();
    assert_eq!(host.pump_queue().await.unwrap(), 1);
    let call = Json::parse(&handler.calls()[0].body).unwrap();
    let message = call.get("Data").and_then(|data| data.get("msg"));
    assert_eq!(message, Some(&Json::encoded(text)));
}

#[tokio::test]
async fn a_failed_message_waits_for_the_visibility_timeout() {
    let azurite = Azurite::start();
    let handler = FakeHandler::start().await;
    let host = app_with(handler.address)
        .setting("AzureWebJobsStorage", azurite.connection_string())
        .setting("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "01:00:00");
    let host = host.start().await.unwrap();
    handler.answer(HandlerAnswer { status: "500".to_owned(), ..ready() });
    let queue = queue(&azurite, "notify");
    queue.put(&BASE64.encode("{}")).await.unwrap();
    assert_eq!(host.pump_queue().await.unwrap(), 1);
    assert_eq!(host.pump_queue().await.unwrap(), 0);
    assert_eq!(queue.count().await.unwrap(), 1);
}
