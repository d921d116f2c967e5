//! Azurite comes up, speaks, and never outlives the process that started it.

use azurite::Azurite;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

/// Set in the child that [`it_ends_with_a_process_that_is_killed`] starts.
const CHILD: &str = "AZURITE_TEST_CHILD";

fn answer(endpoint: &str) -> std::io::Result<String> {
    let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect(authority)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn all_three_services_answer_once_start_returns_and_none_after_drop() {
    let azurite = Azurite::start();
    let endpoints = [azurite.blob_endpoint(), azurite.queue_endpoint(), azurite.table_endpoint()];
    for endpoint in &endpoints {
        assert!(answer(endpoint).unwrap().starts_with("HTTP/1.1 "));
        assert!(azurite.connection_string().contains(&format!("Endpoint={endpoint};")));
    }
    drop(azurite);
    for endpoint in &endpoints {
        assert!(answer(endpoint).is_err());
    }
}

#[test]
fn the_shared_instance_is_one_process() {
    assert_eq!(azurite::shared().table_endpoint(), azurite::shared().table_endpoint());
}

#[test]
fn it_ends_with_a_process_that_is_killed() {
    if std::env::var_os(CHILD).is_some() {
        println!("endpoint={}", azurite::shared().table_endpoint());
        // Blocks until the parent kills this process.
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it_ends_with_a_process_that_is_killed", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Azurite inherits this end too: it reads as ended once both processes are gone.
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let endpoint = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("endpoint=").map(|(_, endpoint)| endpoint.to_owned()))
        .unwrap();
    assert!(answer(&endpoint).is_ok());

    child.kill().unwrap();
    child.wait().unwrap();
    child.stderr.take().unwrap().read_to_string(&mut String::new()).unwrap();

    assert!(answer(&endpoint).is_err());
}
