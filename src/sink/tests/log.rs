use super::{Story, TIMESTAMP};
use crate::sink::log::Log;
use fan_in::Attempt;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_notice_is_one_line_with_fields() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let story = Story::timed_out().stamped(&format!("{TIMESTAMP}\nsecond line")).repeated();
    assert_eq!(
        story.told(&Log::new("log".into())).await,
        Attempt::Accepted { result: None, tells: None }
    );
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["target"], "notice");
    let fields = &line["fields"];
    let message = format!(
        "Pushed image hello-world:v1 ({TIMESTAMP} second line): timed out after 10 m, missing: westeurope"
    );
    assert_eq!(fields["message"], message);
    assert_eq!(fields["kind"], "timed_out");
    assert_eq!(fields["image"], "myregistry.azurecr.io/hello-world:v1");
    assert_eq!(fields["missing"], "westeurope");
    assert_eq!(fields["id"], story.parcel().id());
    assert_eq!((&fields["after_ms"], &fields["repeat"]), (&json!(600_000), &json!(true)));
}
