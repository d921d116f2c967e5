//! The commands of the binary, and a start that is refused.

use crate::support::{Standalone, binary, run};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

const REGIONS: (&str, &str) = ("WebhookRegions", "northeurope, West Europe");

#[test]
fn every_problem_of_the_settings_is_named_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("WebhookTimeout", "canary1"),
        ("FANIN_TYPO", "canary2"),
        ("SLACK_WEBHOOK_URL", "http://canary3.example/x"),
        ("FANIN_RETENTION", "1s"),
    ];
    for command in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["check-config"]] {
        let (code, out, err) = run(binary(&settings).current_dir(folder.path()).args(&command));
        assert_eq!(code, Some(78), "{command:?}: {out}{err}");
        for name in [
            "WebhookRegions",
            "WebhookTimeout",
            "FANIN_TYPO",
            "SLACK_WEBHOOK_URL",
            "FANIN_RETENTION",
        ] {
            assert!(err.lines().any(|line| line.contains(name)), "{name} is not named: {err}");
        }
        assert!(!err.contains("canary"), "a value is shown: {err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no database was made");
}

#[test]
fn only_loopback_is_listened_on_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |settings: &[(&str, &str)]| {
        run(binary(settings).current_dir(folder.path()).args(["serve", "--listen", "0.0.0.0:0"]))
    };
    let (code, _, err) = serve(&[REGIONS]);
    assert_eq!(code, Some(78));
    assert!(err.contains("FANIN_WEBHOOK_SECRET") && err.contains("FANIN_READ_TOKEN"), "{err}");
}

#[test]
fn a_second_server_on_one_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Standalone::start(folder.path(), &[REGIONS]);
    let (code, _, err) = run(binary(&[REGIONS]).current_dir(folder.path()).args([
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]));
    assert_eq!(code, Some(1));
    assert!(err.contains("--db"), "{err}");
}

#[test]
fn without_a_command_there_is_help() {
    let (code, out, _) = run(&mut binary(&[]));
    assert_eq!(code, Some(2));
    for command in ["serve", "demo", "check-config"] {
        assert!(out.contains(command), "{out}");
    }
}

#[test]
fn nobody_has_to_listen_to_a_command() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = binary(&[REGIONS]);
    let output = command.arg("check-config").stdout(writer).stderr(Stdio::piped()).spawn();
    let output = output.unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn the_demo_takes_its_files_away_when_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut command = binary(&[("TMPDIR", folder.path().to_str().unwrap())]);
    let mut demo =
        command.arg("demo").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("simple")), "the scenarios begin");
    assert_eq!(files(), 1);
    let kill = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{rest:?}");
    assert_eq!(files(), 0, "{rest:?}");
}

#[test]
fn the_demo_plays_three_scenarios_and_ends_well() {
    let (code, out, err) = run(binary(&[]).args(["demo", "--exit"]));
    assert_eq!(code, Some(0), "{out}{err}");
    for text in [
        "simple",
        "interleaved",
        "timeout",
        "in all 4 regions",
        "missing: southeastasia",
        "recovered",
    ] {
        assert!(out.contains(text), "{text} is missing: {out}");
    }
}

#[test]
fn what_is_not_utf8_is_one_problem_in_a_name_and_in_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let broken = |text: &[u8]| OsStr::from_bytes(text).to_owned();
    let mut command = binary(&[]);
    command.env("WebhookRegions", broken(b"canary\xff")).env(broken(b"FANIN_\xff"), "canary");
    command.env("FANIN_CONFIG", broken(b"canary\xff")).env(broken(b"OTHER_\xff"), "canary");
    let (code, _, err) = run(command.current_dir(folder.path()).arg("check-config"));
    assert_eq!(code, Some(78), "{err}");
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(lines[..2], ["FANIN_CONFIG: is not UTF-8", "WebhookRegions: is not UTF-8"], "{err}");
    assert!(lines[2].starts_with("FANIN_\u{fffd}: there is no such setting"), "{err}");
    assert_eq!(lines.len(), 3, "{err}");
}

#[test]
fn check_config_says_which_file_it_has_read() {
    let folder = tempfile::tempdir().unwrap();
    let check = |settings: &[(&str, &str)]| {
        let (code, out, err) = run(binary(settings).current_dir(folder.path()).arg("check-config"));
        let files: Vec<_> =
            out.lines().filter_map(|line| Some(line.strip_prefix("File: ")?.to_owned())).collect();
        (code, files, err)
    };
    assert_eq!(check(&[REGIONS]), (Some(0), vec![], String::new()));
    let named = folder.path().join("named.toml");
    let here = folder.path().join("fanin.toml");
    std::fs::write(&here, "colour = 1\n").unwrap();
    std::fs::write(&named, "").unwrap();
    let (code, files, err) = check(&[REGIONS]);
    let here = here.canonicalize().unwrap().to_str().unwrap().to_owned();
    assert_eq!((code, files), (Some(78), vec![here]), "where something is wrong, above all");
    assert!(err.starts_with("fanin.toml: key colour: "), "{err}");
    let named = named.to_str().unwrap();
    let by_name = check(&[REGIONS, ("FANIN_CONFIG", named)]);
    assert_eq!(by_name, (Some(0), vec![named.to_owned()], String::new()));
}
