//! A transaction on the wire: one changeset in one `$batch` request, and its answer.

use crate::{
    answer::{Answer, Effect},
    endpoint::Endpoint,
    error::Error,
    limits, multipart,
    operation::{Operation, is_etag},
    transaction::Transaction,
};
use azure_core::http::{Etag, Method};

/// A transaction, written.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Batch {
    /// Writes a transaction. `id` is one that occurs nowhere in the data.
    ///
    /// # Errors
    /// `Limit` when there is nothing to do or it is longer than 4 MiB.
    pub(crate) fn new(
        transaction: &Transaction,
        endpoint: &Endpoint,
        id: &str,
    ) -> Result<Self, Error> {
        if transaction.is_empty() {
            return Err(Error::limit("a transaction without operations"));
        }
        let mut body = format!(
            "--batch_{id}\r\nContent-Type: multipart/mixed; boundary=changeset_{id}\r\n\r\n"
        );
        for (number, operation) in transaction.operations().iter().enumerate() {
            body.push_str(&format!("--changeset_{id}\r\n"));
            body.push_str(
                "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            );
            body.push_str(&request(operation, number, transaction.partition_key(), endpoint));
        }
        body.push_str(&format!("--changeset_{id}--\r\n--batch_{id}--\r\n"));
        if body.len() > limits::TRANSACTION_BYTES {
            return Err(Error::limit("a transaction is longer than 4 MiB"));
        }
        Ok(Self { content_type: format!("multipart/mixed; boundary=batch_{id}"), body })
    }
}

fn request(
    operation: &Operation,
    number: usize,
    partition_key: &str,
    endpoint: &Endpoint,
) -> String {
    let url = operation.url(endpoint, partition_key);
    let mut text = format!(
        "{} {url} HTTP/1.1\r\nContent-ID: {number}\r\nAccept: application/json;odata=minimalmetadata\r\n\
         DataServiceVersion: 3.0;\r\n",
        operation.method.as_str()
    );
    if let Some(tag) = &operation.if_match {
        text.push_str(&format!("If-Match: {tag}\r\n"));
    }
    if operation.method == Method::Post {
        text.push_str("Prefer: return-no-content\r\n");
    }
    match &operation.body {
        Some(body) => {
            let length = body.len();
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}\r\n"
            ));
        }
        // One empty line ends the headers, the other belongs to the delimiter that follows.
        None => text.push_str("\r\n\r\n"),
    }
    text
}

/// Reads the answer: the version of each entity, none for a removed one.
///
/// The outer status is 202 also for a failure, which is one part instead of one per operation.
///
/// # Errors
/// The failed operation's; `Ambiguous` when the answer cannot be understood.
pub(crate) fn outcome(
    answer: &Answer,
    operations: &[Operation],
) -> Result<Vec<Option<Etag>>, Error> {
    let unreadable =
        |why: &str| Error::new(Effect::Write.unreadable(), format!("transaction: {why}"));
    let text = String::from_utf8_lossy(&answer.body);
    let parts =
        answers(answer, &text).ok_or_else(|| unreadable("the answer has no readable parts"))?;
    if let Some(failed) = parts.iter().find(|part| !part.is_success()) {
        return Err(failed.operation_error(operations.len()));
    }
    if parts.len() != operations.len() {
        return Err(unreadable(&format!(
            "{} answers to {} operations",
            parts.len(),
            operations.len()
        )));
    }
    parts
        .iter()
        .zip(operations)
        .map(|(part, operation)| match part.header("etag").filter(|tag| is_etag(tag)) {
            Some(tag) if operation.leaves_entity() => Ok(Some(Etag::from(tag))),
            None if operation.leaves_entity() => Err(unreadable("an answer without an ETag")),
            _ => Ok(None),
        })
        .collect()
}

/// The answers within the changeset of a batch. A failed changeset may also stand there as one
/// plain answer.
fn answers(answer: &Answer, text: &str) -> Option<Vec<Answer>> {
    let outer = multipart::parts(text, multipart::boundary(answer.header("content-type")?)?)?;
    let mut answers = Vec::new();
    for part in outer {
        let (headers, body) = multipart::headers_and_body(part);
        let content_type = headers
            .iter()
            .find(|(name, _)| name == "content-type")
            .map_or("", |(_, value)| value.as_str());
        match multipart::boundary(content_type) {
            None => answers.push(multipart::http_answer(body)?),
            Some(boundary) => {
                for inner in multipart::parts(body, boundary)? {
                    answers.push(multipart::http_answer(multipart::headers_and_body(inner).1)?);
                }
            }
        }
    }
    Some(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, IfMatch};
    use azure_core::http::Url;
    use serde_json::json;

    fn endpoint() -> Endpoint {
        Endpoint::new(Url::parse("https://acc.table.core.windows.net").unwrap(), "orders").unwrap()
    }

    fn transaction() -> Transaction {
        let mut transaction = Transaction::new("o'p");
        let tag = IfMatch::Tag(Etag::from("W/\"datetime'2021'\""));
        transaction.insert("1", &json!({"a": "ü"})).unwrap();
        transaction.delete("2", &tag).unwrap();
        transaction
    }

    /// An answer of the service's form: a changeset within a batch, each part a whole HTTP answer.
    fn answered(parts: &[&str]) -> Answer {
        let mut body = "--batchresponse_b\r\nContent-Type: multipart/mixed; boundary=changesetresponse_c\r\n\r\n"
            .to_owned();
        for part in parts {
            body += "--changesetresponse_c\r\nContent-Type: application/http\r\n\
                     Content-Transfer-Encoding: binary\r\n\r\n";
            body += part;
        }
        body += "--changesetresponse_c--\r\n--batchresponse_b--\r\n";
        Answer {
            status: 202,
            headers: vec![(
                "content-type".to_owned(),
                "multipart/mixed; boundary=batchresponse_b".to_owned(),
            )],
            body: body.into_bytes(),
        }
    }

    const INSERTED: &str = "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\n\
        Cache-Control: no-cache\r\nPreference-Applied: return-no-content\r\nDataServiceVersion: 3.0;\r\n\
        ETag: W/\"datetime'2026-11-20T16%3A41%3A38.2990653Z'\"\r\n\r\n\r\n";
    const DELETED: &str = "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\n\
        Cache-Control: no-cache\r\nDataServiceVersion: 1.0;\r\n\r\n\r\n";
    const CONFLICT: &str = "HTTP/1.1 409 Conflict\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-cache\r\n\
        Preference-Applied: return-no-content\r\nDataServiceVersion: 3.0;\r\n\
        Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r\n\r\n\
        {\"odata.error\":{\"code\":\"EntityAlreadyExists\",\"message\":{\"lang\":\"en-US\",\"value\":\
        \"1:The specified entity already exists.\\nRequestId:8c9d\\nTime:2026-11-20T16:41:38.2990653Z\"}}}\r\n";

    #[test]
    fn a_transaction_is_written_as_the_service_documents_it() {
        let batch = Batch::new(&transaction(), &endpoint(), "7").unwrap();
        assert_eq!(batch.content_type, "multipart/mixed; boundary=batch_7");
        assert_eq!(
            batch.body,
            "--batch_7\r\n\
             Content-Type: multipart/mixed; boundary=changeset_7\r\n\
             \r\n\
             --changeset_7\r\n\
             Content-Type: application/http\r\n\
             Content-Transfer-Encoding: binary\r\n\
             \r\n\
             POST https://acc.table.core.windows.net/orders HTTP/1.1\r\n\
             Content-ID: 0\r\n\
             Accept: application/json;odata=minimalmetadata\r\n\
             DataServiceVersion: 3.0;\r\n\
             Prefer: return-no-content\r\n\
             Content-Type: application/json\r\n\
             Content-Length: 44\r\n\
             \r\n\
             {\"PartitionKey\":\"o'p\",\"RowKey\":\"1\",\"a\":\"ü\"}\r\n\
             --changeset_7\r\n\
             Content-Type: application/http\r\n\
             Content-Transfer-Encoding: binary\r\n\
             \r\n\
             DELETE https://acc.table.core.windows.net/orders(PartitionKey='o%27%27p',RowKey='2') HTTP/1.1\r\n\
             Content-ID: 1\r\n\
             Accept: application/json;odata=minimalmetadata\r\n\
             DataServiceVersion: 3.0;\r\n\
             If-Match: W/\"datetime'2021'\"\r\n\
             \r\n\
             \r\n\
             --changeset_7--\r\n\
             --batch_7--\r\n"
        );
    }

    #[test]
    fn a_transaction_of_nothing_or_of_too_much_is_refused() {
        let empty = Batch::new(&Transaction::new("p"), &endpoint(), "7");
        assert_eq!(empty.unwrap_err().kind(), ErrorKind::Limit);
        let mut large = Transaction::new("p");
        let text = "ü".repeat(32 * 1024);
        for row in 0..70 {
            large.insert(&row.to_string(), &json!({"a": text, "b": "x"})).unwrap();
        }
        assert_eq!(Batch::new(&large, &endpoint(), "7").unwrap_err().kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_success_gives_the_versions_in_the_order_of_the_operations() {
        let tags = outcome(&answered(&[INSERTED, DELETED]), transaction().operations()).unwrap();
        let tag = Etag::from("W/\"datetime'2026-11-20T16%3A41%3A38.2990653Z'\"");
        assert_eq!(tags, [Some(tag), None]);
    }

    #[test]
    fn a_failure_names_the_operation_although_the_outer_status_is_a_success() {
        let error = outcome(&answered(&[CONFLICT]), transaction().operations()).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::EntityAlreadyExists, Some(1)));
        assert_eq!(
            error.to_string(),
            "table storage: 409 EntityAlreadyExists, operation 1: The specified entity already exists."
        );
    }

    #[test]
    fn a_failure_outside_the_changeset_is_found_too() {
        let mut answer = answered(&[]);
        let part = format!(
            "--batchresponse_b\r\nContent-Type: application/http\r\n\r\n{CONFLICT}--batchresponse_b--"
        );
        answer.body = part.into_bytes();
        assert_eq!(
            outcome(&answer, transaction().operations()).unwrap_err().kind(),
            ErrorKind::EntityAlreadyExists
        );
    }

    #[test]
    fn every_answer_that_cannot_be_understood_is_ambiguous() {
        let whole = answered(&[INSERTED, DELETED]);
        let cut = |length: usize| Answer {
            status: whole.status,
            headers: whole.headers.clone(),
            body: whole.body[..length].to_vec(),
        };
        let plain = Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() };
        let mut answers =
            vec![answered(&[]), answered(&[INSERTED]), answered(&[DELETED, DELETED]), plain];
        answers.extend((0..whole.body.len() - 2 - "--\r\n".len()).step_by(7).map(cut));
        for answer in answers {
            let error = outcome(&answer, transaction().operations()).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::Ambiguous,
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
        }
    }
}
