//! A sink that says back whatever it was told, and keeps it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let echo = Self { address: listener.local_addr().unwrap(), got: Arc::default() };
        let state = echo.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = state.clone();
                std::thread::spawn(move || state.serve(stream));
            }
        });
        echo
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.got.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.got.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line).ok().filter(|read| *read > 0)?;
            let line = String::from_utf8(line).ok()?;
            if line == "\r\n" {
                break;
            }
            if let Some((_, n)) = line.to_lowercase().split_once("content-length:") {
                length = n.trim().parse().ok()?;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        self.got.lock().unwrap().push((path.clone(), String::from_utf8_lossy(&body).into_owned()));
        let status = match path.split('/').nth(1)? {
            "fine" => "200 OK",
            "redirect" => "307 Temporary Redirect",
            "break" => return None,
            _ => "500 Internal Server Error",
        };
        // The query and the headers first, since what is kept is cut.
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let said = format!("{query} {path} {head}");
        write!(
            stream,
            "HTTP/1.1 {status}\r\nLocation: {path}/again\r\nRetry-After: 1\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n{said}",
            said.len()
        )
        .ok()
    }
}
