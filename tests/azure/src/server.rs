//! The HTTP servers: reading, answering, and breaking off where a fault says so.

use std::io;
use std::sync::Arc;

use functions_host::wire::{read_body, read_head};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http::{Answer, Request};
use crate::world::{Service, World};

/// What the server does about a request.
#[derive(Debug)]
pub(crate) enum Reaction {
    Answer(Answer),
    Reset,
    Hang,
}

/// Serves until its task is ended, which ends all its connections.
pub(crate) async fn serve(listener: TcpListener, service: Service, world: Arc<World>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(stream, service, Arc::clone(&world)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A connection that broke is no concern of ours.
async fn connection(stream: TcpStream, service: Service, world: Arc<World>) {
    let _broken = converse(stream, service, &world).await;
}

async fn converse(stream: TcpStream, service: Service, world: &World) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let body = read_body(&mut stream, &head).await?;
        match world.react(service, Request::new(head, body)) {
            Reaction::Answer(answer) => stream.write_all(&answer.into_bytes()).await?,
            Reaction::Reset => return stream.get_ref().set_zero_linger(),
            Reaction::Hang => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}
