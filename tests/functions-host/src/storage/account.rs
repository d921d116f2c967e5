//! A storage account: its address and its signature.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::QueueClient;
use crate::clock;
use crate::error::HostError;
use crate::route::query;
use crate::wire::{self, Head, Received};

const API_VERSION: &str = "2021-12-02";

const DEVELOPMENT: &str = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1\
    OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;\
    QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1";

/// A storage account.
#[derive(Clone, Debug)]
pub struct Storage {
    account: String,
    key: Vec<u8>,
    host: String,
    path: String,
}

impl Storage {
    /// Reads a connection string with account name, key and a queue endpoint of plain HTTP.
    ///
    /// # Errors
    /// A part is missing or unreadable.
    pub fn from_connection_string(text: &str) -> Result<Self, HostError> {
        let is_development = text.trim().trim_end_matches(';') == "UseDevelopmentStorage=true";
        let text = if is_development { DEVELOPMENT } else { text };
        let part = |name: &str| {
            let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            let missing = || HostError::new(format!("a connection string without {name}"));
            values.next().map(|(_, value)| value.trim().to_owned()).ok_or_else(missing)
        };
        let endpoint = part("QueueEndpoint")?;
        let address = endpoint.strip_prefix("http://");
        let address = address.ok_or_else(|| HostError::new(format!("{endpoint} is no http://")))?;
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let path = path.trim_end_matches('/');
        let key = BASE64.decode(part("AccountKey")?);
        Ok(Self {
            account: part("AccountName")?,
            key: key.map_err(|_| HostError::new("an account key that is no base64"))?,
            host: host.to_owned(),
            path: if path.is_empty() { String::new() } else { format!("/{path}") },
        })
    }

    /// The queue of that name, which need not exist.
    #[must_use]
    pub fn queue(&self, name: &str) -> QueueClient {
        QueueClient { storage: self.clone(), name: name.to_owned() }
    }

    /// Sends a signed request and reads the answer.
    pub(super) async fn exchange(
        &self,
        method: &str,
        below: &str,
        parameters: &str,
        body: &str,
    ) -> io::Result<Received> {
        let path = format!("{}{below}", self.path);
        let mut request = Head {
            first: format!("{method} {path}?{parameters} HTTP/1.1"),
            headers: vec![
                ("Host".to_owned(), self.host.clone()),
                ("Connection".to_owned(), "close".to_owned()),
                ("Content-Length".to_owned(), body.len().to_string()),
                ("x-ms-date".to_owned(), clock::rfc1123(clock::now())),
                ("x-ms-version".to_owned(), API_VERSION.to_owned()),
            ],
        };
        let authorization = self.authorization(&request, &path, parameters);
        request.headers.push(("Authorization".to_owned(), authorization));
        wire::exchange(self.address()?, &request, body.as_bytes()).await
    }

    fn address(&self) -> io::Result<SocketAddr> {
        let mut addresses = self.host.to_socket_addrs()?;
        addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The `Authorization` of a request, by the rules of the Queue service.
    fn authorization(&self, request: &Head, path: &str, parameters: &str) -> String {
        let method = request.first.split(' ').next().unwrap_or_default();
        let length = request.header("content-length").filter(|length| *length != "0");
        let mut text = format!(
            "{method}\n\n\n{}\n\n\n\n\n\n\n\n\nx-ms-date:{}\nx-ms-version:{}\n/{}{path}",
            length.unwrap_or_default(),
            request.header("x-ms-date").unwrap_or_default(),
            request.header("x-ms-version").unwrap_or_default(),
            self.account
        );
        let mut sorted = query(parameters);
        sorted.sort();
        for (name, values) in sorted {
            text.push_str(&format!("\n{}:{}", name.to_lowercase(), values.join(",")));
        }
        // A key of any length is fine for HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(text.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        format!("SharedKey {}:{signature}", self.account)
    }
}
