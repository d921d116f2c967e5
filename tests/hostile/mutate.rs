//! Spoils bytes, the same way for the same seed.

use fastrand::Rng;
use std::ops::Range;

/// What parsers tend to stumble over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"1e400",
    b"-0.0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"0.1e-400",
    b"<!channel>",
    b"<script>",
    b"'or'1'eq'1",
    b"${HOME}",
    b"../../",
    b"%00",
    b"%2e%2e%2f",
    b"%",
    b"\xe2\x80\xae",
    b"sha256:",
    b"action",
    b"\"action\":\"delete\",",
    b"eventType",
    b"push_data",
    b"repository",
    b"region",
];

/// A spoilt copy of one of the samples.
pub(crate) fn mutate<'a>(samples: &[impl AsRef<[u8]> + 'a], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.choice(samples).map(|sample| sample.as_ref().to_vec()).unwrap();
    for _ in 0..rng.usize(1..=4) {
        step(&mut bytes, samples, rng);
    }
    bytes
}

fn step<'a>(bytes: &mut Vec<u8>, samples: &[impl AsRef<[u8]> + 'a], rng: &mut Rng) {
    let at = rng.usize(0..=bytes.len());
    match rng.u8(0..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => drop(bytes.drain(part(bytes.len(), rng))),
        3 => {
            let copy = bytes[part(bytes.len(), rng)].to_vec();
            bytes.splice(at..at, copy);
        }
        4 => bytes.truncate(at),
        5 => {
            let other = rng.choice(samples).unwrap().as_ref();
            let piece = other[part(other.len(), rng)].to_vec();
            bytes.splice(part(bytes.len(), rng), piece);
        }
        6 => {
            let times = 1 << rng.u8(0..10);
            let piece = rng.choice(PIECES).unwrap().repeat(times);
            bytes.splice(at..at, piece);
        }
        7 => number(bytes, rng),
        _ => {
            let piece = rng.choice(PIECES).unwrap().to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// A short stretch somewhere.
fn part(length: usize, rng: &mut Rng) -> Range<usize> {
    let from = rng.usize(0..=length);
    from..(from + rng.usize(0..=32)).min(length)
}

/// Puts another number where one is.
fn number(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let digits: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
    let Some(from) = rng.choice(digits) else { return };
    let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let all = ["0", "-1", "1e99", "9223372036854775807", "-9223372036854775809", "4294967296"];
    bytes.splice(from..from + length, rng.choice(all).unwrap().bytes());
}
