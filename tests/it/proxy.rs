//! A proxy before Azurite's table service that writes down every request, on connections that are kept.

use functions_host::wire::{self, read_body, read_head};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What came through, one line for each request: method and what follows the account in the path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(Arc<Mutex<Vec<String>>>);

impl Counted {
    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A connection string that leads to Azurite's tables by way of a proxy, and what the proxy counts. It lasts as
/// long as the test's runtime.
pub(crate) async fn counting() -> (String, Counted) {
    let azurite = azurite::shared();
    let endpoint = azurite.table_endpoint();
    let to: SocketAddr = endpoint.split('/').nth(2).unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let by_proxy = endpoint.replace(&to.to_string(), &listener.local_addr().unwrap().to_string());
    let counted = Counted::default();
    let counting = counted.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A connection that breaks is the client's to notice, whose end we close with it.
            let counted = counting.clone();
            tokio::spawn(async move { connection(client, to, &counted).await });
        }
    });
    (azurite.connection_string().replace(&endpoint, &by_proxy), counted)
}

async fn connection(client: TcpStream, to: SocketAddr, counted: &Counted) -> io::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(to).await?.into_split();
    let requests = async {
        let mut from_client = BufReader::new(from_client);
        while let Some(head) = read_head(&mut from_client).await? {
            let body = read_body(&mut from_client, &head).await?;
            let mut words = head.first.split(' ');
            let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let path = target.split('?').next().unwrap_or("");
            let below = path.splitn(3, '/').last().unwrap_or(path);
            counted.0.lock().unwrap().push(format!("{method} {below}"));
            to_server.write_all(&head.to_bytes()).await?;
            let body = if head.is_chunked() { wire::chunked(&body) } else { body };
            to_server.write_all(&body).await?;
        }
        to_server.shutdown().await
    };
    let answers = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::try_join!(requests, answers).map(drop)
}
