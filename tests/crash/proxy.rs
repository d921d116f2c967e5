//! A proxy before each service that the product talks to. All proxies of a world share one [`Wire`], which
//! numbers the requests, kills the process at one of them, puts faults into them, and moves the clock by
//! which the product lives: the `Date` of the table service.

use crate::http::{self, Message};
use crate::sink::Sink;
use acr_fanin::clock;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use watched::{Process, Secrets};

/// When the process is killed: before its request is forwarded, or when it has had its effect and the answer
/// is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What a network does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Refuse,
    /// A reset instead of forwarding.
    ResetBefore,
    /// Forwarded, then a reset.
    ResetAfter,
    /// Forwarded, half the answer, then a reset.
    ResetMidAnswer,
    /// Taken, never forwarded, never answered.
    BlackHole,
    /// Forwarded; the answer comes at one byte per second.
    OneBytePerSecond,
    /// Forwarded two seconds later.
    Slow,
    /// Forwarded, half the answer, then an orderly end.
    Truncated,
    /// 503 without Retry-After.
    Unavailable,
    /// 429 with Retry-After.
    Throttled,
    /// Forwarded; the connection stays open and nothing ever comes.
    HalfOpen,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Refuse,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::ResetMidAnswer,
        Self::BlackHole,
        Self::OneBytePerSecond,
        Self::Slow,
        Self::Truncated,
        Self::Unavailable,
        Self::Throttled,
        Self::HalfOpen,
    ];

    /// The service has been told, and the product may not know it.
    pub(crate) const fn leaves_doubt(self) -> bool {
        matches!(
            self,
            Self::ResetAfter
                | Self::ResetMidAnswer
                | Self::OneBytePerSecond
                | Self::Slow
                | Self::Truncated
                | Self::HalfOpen
        )
    }
}

/// One request that came by.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: &'static str,
    pub(crate) line: String,
    pub(crate) forwarded: bool,
    pub(crate) fault: Option<Fault>,
    /// How many requests had come by when it was answered.
    answered: Option<usize>,
}

impl Seen {
    pub(crate) fn is_write(&self) -> bool {
        self.target == "table" && !self.line.starts_with("GET")
    }
}

#[derive(Debug, Default)]
struct Inner {
    seen: Vec<Seen>,
    /// Where to kill next.
    crash: Option<(usize, When)>,
    /// How many requests had come by when that happened.
    died_at: Option<usize>,
    process: Option<Process>,
    /// What nothing may show that comes from the process.
    secrets: Secrets,
    /// What must not have been printed or sent.
    bad: Vec<String>,
    /// How often a process was started.
    lives: usize,
    faults: BTreeMap<&'static str, (Vec<Fault>, u8)>,
    ahead_seconds: i64,
}

/// What the proxies of a world share.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<Inner>);

enum Verdict {
    Forward,
    Kill(When),
    Fault(Fault),
    /// It comes from a process that is dead.
    Dead,
}

impl Wire {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.with(|inner| inner.seen.clone())
    }

    /// Kills the process at the request of this number, counted from 1 over all that came by.
    pub(crate) fn crash_at(&self, number: usize, when: When) {
        self.with(|inner| inner.crash = Some((number, when)));
    }

    pub(crate) fn lives(&self) -> usize {
        self.with(|inner| inner.lives)
    }

    /// From now on the requests come from this process.
    pub(crate) fn born(&self, process: Process, secrets: Secrets) {
        self.with(|inner| {
            inner.lives += 1;
            inner.process = Some(process);
            inner.secrets = secrets;
        });
    }

    /// The process has ended before it listened, and has said why: what it printed that is no line of a log.
    pub(crate) fn stillborn(&self) -> Vec<String> {
        self.with(|inner| inner.process.take().map(|mut process| process.end()).unwrap_or_default())
    }

    /// Looks for secrets in what the process has given to others.
    pub(crate) fn look(&self, place: &str, bytes: &[u8]) {
        self.with(|inner| {
            let leak = inner.secrets.leak(place, &String::from_utf8_lossy(bytes));
            inner.bad.extend(leak);
        });
    }

    /// Kills the process; nothing that came of it may have shown a secret, and its logs are JSON.
    pub(crate) fn end(&self) {
        self.kill();
        let bad = self.with(|inner| std::mem::take(&mut inner.bad));
        assert!(bad.is_empty() || std::thread::panicking(), "{bad:#?}");
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        self.with(kill);
    }

    /// Memory in KiB that the process holds at present, and the most that it has held.
    pub(crate) fn memory_kib(&self) -> Option<(u64, u64)> {
        self.with(|inner| {
            let process = inner.process.as_ref()?;
            Some((process.resident_kib()?, process.peak_kib()?))
        })
    }

    /// Has it ended by itself?
    pub(crate) fn has_ended(&self) -> bool {
        self.with(|inner| {
            inner.process.as_mut().is_none_or(|process| process.ended().unwrap().is_some())
        })
    }

    /// From now on so many of a hundred requests to the target meet the fault.
    pub(crate) fn trouble(&self, target: &'static str, fault: Fault, share: u8) {
        self.troubles(target, &[fault], share);
    }

    /// Each of them meets one of the faults.
    pub(crate) fn troubles(&self, target: &'static str, faults: &[Fault], share: u8) {
        self.with(|inner| inner.faults.insert(target, (faults.to_vec(), share)));
    }

    /// How many requests to the target have met a fault.
    pub(crate) fn faults_met(&self, target: &str) -> usize {
        let met = |seen: &&Seen| seen.target == target && seen.fault.is_some();
        self.with(|inner| inner.seen.iter().filter(met).count())
    }

    pub(crate) fn heal(&self) {
        self.with(|inner| inner.faults.clear());
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.with(|inner| inner.ahead_seconds += seconds);
    }

    /// The service's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        clock::now().as_millis() + self.with(|inner| inner.ahead_seconds) * 1_000
    }

    /// Had the sink been told of something that the table had not been told of in turn when the process died?
    pub(crate) fn died_while_sending(&self, sink: &str) -> bool {
        self.with(|inner| {
            let Some(died_at) = inner.died_at else { return false };
            let seen = &inner.seen[..died_at];
            let told = seen.iter().rev().find(|s| s.target == sink && s.forwarded);
            let Some(told) = told else { return false };
            let Some(answered) = told.answered else { return true };
            !seen[answered..].iter().any(|s| s.is_write() && s.forwarded)
        })
    }

    /// Was the process killed at one of its requests?
    pub(crate) fn has_died(&self) -> bool {
        self.with(|inner| inner.died_at.is_some())
    }

    fn admit(&self, target: &'static str, life: usize, request: &Message) -> (usize, Verdict) {
        self.with(|inner| {
            if inner.process.is_none() || inner.lives != life {
                return (0, Verdict::Dead);
            }
            let number = inner.seen.len();
            let verdict = match (inner.crash, inner.faults.get(target)) {
                (Some((at, when)), _) if at == number + 1 => {
                    inner.crash = None;
                    inner.died_at = Some(at);
                    Verdict::Kill(when)
                }
                (_, Some((faults, share))) if fastrand::u8(0..100) < *share => {
                    Verdict::Fault(faults[fastrand::usize(..faults.len())])
                }
                _ => Verdict::Forward,
            };
            if let Verdict::Kill(When::Before) = verdict {
                kill(inner);
            }
            let fault = if let Verdict::Fault(fault) = verdict { Some(fault) } else { None };
            let forwarded = match verdict {
                Verdict::Kill(when) => when == When::After,
                Verdict::Fault(fault) => fault.leaves_doubt(),
                _ => true,
            };
            let line = request.line().to_owned();
            inner.seen.push(Seen { target, line, forwarded, fault, answered: None });
            (number, verdict)
        })
    }

    fn answered(&self, number: usize) {
        self.with(|inner| inner.seen[number].answered = Some(inner.seen.len()));
    }

    fn refuses(&self, target: &str) -> bool {
        self.with(|inner| inner.faults.get(target) == Some(&(vec![Fault::Refuse], 100)))
    }

    /// The service's answer with the time as it is in this world.
    fn timed(&self, answer: Message) -> Message {
        let ahead = self.with(|inner| inner.ahead_seconds);
        if ahead == 0 || answer.header("date").is_none() {
            return answer;
        }
        let seconds = clock::now().as_millis() / 1_000 + ahead;
        let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        answer.with_header("Date", &date.format(&Rfc2822).unwrap().replace("+0000", "GMT"))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(inner: &mut Inner) {
    if let Some(mut process) = inner.process.take() {
        inner.bad.extend(process.end());
    }
}

/// Who answers behind a proxy.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    Service(SocketAddr),
    Sink(Arc<Sink>),
}

/// A listener; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Way {
    wire: Arc<Wire>,
    target: &'static str,
    upstream: Upstream,
}

impl Proxy {
    pub(crate) async fn start(
        wire: Arc<Wire>,
        target: &'static str,
        upstream: Upstream,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let way = Way { wire, target, upstream };
        Ok(Self { address, task: tokio::spawn(listen(way, listener)) })
    }
}

async fn listen(way: Way, listener: TcpListener) {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        if way.wire.refuses(way.target) {
            listener = None;
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(listener) = &listener else { continue };
        if let Ok(Ok((stream, _))) = tokio::time::timeout(LOOK_EVERY, listener.accept()).await {
            let (way, life) = (way.clone(), way.wire.lives());
            // A connection that breaks is the other side's affair.
            tokio::spawn(async move { way.connection(stream, life).await.unwrap_or_default() });
        }
    }
}

impl Way {
    async fn connection(&self, stream: TcpStream, life: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut client = BufReader::new(stream);
        while let Some(request) = http::read(&mut client).await? {
            let (number, verdict) = self.wire.admit(self.target, life, &request);
            match verdict {
                Verdict::Dead | Verdict::Kill(When::Before) => return Ok(()),
                Verdict::Kill(When::After) => {
                    let answer = self.forward(&request).await;
                    self.wire.kill();
                    return answer.map(drop);
                }
                Verdict::Fault(fault) => {
                    if !self.fault(fault, &mut client, &request).await? {
                        return Ok(());
                    }
                }
                Verdict::Forward => {
                    let answer = self.forward(&request).await?;
                    client.get_mut().write_all(&answer.bytes()).await?;
                }
            }
            self.wire.answered(number);
        }
        Ok(())
    }

    async fn forward(&self, request: &Message) -> io::Result<Message> {
        match &self.upstream {
            Upstream::Sink(sink) => {
                self.wire.look("a message", &request.content());
                Ok(sink.take(request))
            }
            Upstream::Service(address) => {
                let mut upstream = BufReader::new(TcpStream::connect(address).await?);
                upstream.get_mut().write_all(&request.bytes()).await?;
                let answer = http::read(&mut upstream).await?;
                Ok(self.wire.timed(answer.ok_or(io::ErrorKind::UnexpectedEof)?))
            }
        }
    }

    /// Says whether the connection goes on.
    async fn fault(
        &self,
        fault: Fault,
        client: &mut BufReader<TcpStream>,
        request: &Message,
    ) -> io::Result<bool> {
        const SECOND: Duration = Duration::from_secs(1);
        if fault == Fault::Slow {
            tokio::time::sleep(2 * SECOND).await;
        }
        let answer = match fault {
            Fault::Unavailable => Message::answer(503, "", "busy"),
            Fault::Throttled => Message::answer(429, "Retry-After: 1\r\n", "slow down"),
            fault if fault.leaves_doubt() => self.forward(request).await?,
            _ => Message::answer(200, "", ""),
        };
        let bytes = answer.bytes();
        let half = &bytes[..bytes.len() / 2];
        let stream = client.get_mut();
        match fault {
            Fault::Unavailable | Fault::Throttled | Fault::Slow => {
                stream.write_all(&bytes).await?;
                return Ok(true);
            }
            Fault::ResetBefore | Fault::ResetAfter | Fault::Refuse => stream.set_zero_linger()?,
            Fault::ResetMidAnswer => {
                stream.write_all(half).await?;
                stream.set_zero_linger()?;
            }
            Fault::Truncated => stream.write_all(half).await?,
            Fault::OneBytePerSecond => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(SECOND).await;
                }
            }
            Fault::BlackHole | Fault::HalfOpen => {
                stream.read_to_end(&mut Vec::new()).await?;
            }
        }
        Ok(false)
    }
}
