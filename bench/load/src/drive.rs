//! The measuring loop: N connections, one request in flight on each.

use std::collections::VecDeque;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;
use crate::credential;
use crate::epoll::Epoll;
use crate::fault;
use crate::http2;
use crate::process;
use crate::report::Report;
use crate::request::{Kind, Recipe, Requests};
use crate::response::{Scan, scan, status};
use crate::schedule::Schedule;
use crate::transport::{Route, Transport};

const BUFFER_BYTES: usize = 16_384;

struct Connection {
    /// None once it has failed; the next request that is due on it connects again.
    transport: Option<Transport>,
    buffer: Box<[u8]>,
    filled: usize,
    /// When the request in flight was due; none when the connection is free.
    due_ns: Option<u64>,
}

/// What the command line asks of a run.
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) warm_ns: u64,
    pub(crate) run_ns: u64,
    pub(crate) rate: Option<u64>,
    /// Drop what finds no connection in time instead of sending it late.
    pub(crate) shed: bool,
    pub(crate) cycle: bool,
    pub(crate) watch: Vec<u32>,
}

/// Runs `load` and prints its report.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let streams: Option<usize> = arguments.optional("streams")?;
    let protocols: &[&[u8]] = if streams.is_some() { &[b"h2"] } else { &[] };
    let route = Route::from_arguments(arguments, protocols)?;
    let kind: Kind = arguments.required("kind")?;
    let credentials = credential::read(&arguments.required::<String>("credentials")?)?;
    let forged = arguments.flag("forged");
    let mut watch: Vec<u32> = arguments.all("watch")?;
    watch.push(std::process::id());
    let plan = Plan {
        connections: arguments.required("connections")?,
        warm_ns: arguments.optional::<u64>("warm-ms")?.unwrap_or(0) * 1_000_000,
        run_ns: arguments.required::<u64>("run-ms")? * 1_000_000,
        rate: arguments.optional("rate")?,
        shed: arguments.flag("shed"),
        // A forged request is refused before replay is looked at, so it can be sent again.
        cycle: forged,
        watch,
    };
    let count = arguments.optional("requests")?.unwrap_or(100_000);
    let window_ms = arguments.optional("recv-window-ms")?.unwrap_or(60_000);
    arguments.finish()?;
    if streams.is_some() && (plan.rate.is_some() || plan.shed) {
        return Err(fault("--streams goes without --rate and --shed"));
    }
    let host = route.host();
    let credentials = &credentials[..];
    let recipe = Recipe {
        kind,
        host: &host,
        credentials,
        count,
        window_ms,
        forged,
    };
    // Connect first: times in the requests should be as fresh as they can be.
    let report = match streams {
        Some(streams) => http2::run(&route, plan, streams, &recipe)?,
        None => {
            let mut drive = Drive::connect(route, plan)?;
            drive.measure(&Requests::make(&recipe)?)?;
            drive.report
        }
    };
    println!("{}", report.json());
    Ok(())
}

/// CPU times at one moment: of the processes watched, and of all cores.
#[derive(Default)]
pub(crate) struct Spent {
    at_ns: u64,
    cpu_us: Vec<u64>,
    cores_us: Vec<u64>,
}

impl Spent {
    pub(crate) fn until(at_ns: u64, watch: &[u32]) -> io::Result<Self> {
        Ok(Self {
            at_ns,
            cpu_us: process::cpu_of(watch)?,
            cores_us: process::cores_busy_us()?,
        })
    }

    /// Puts what was spent since then, until `now_ns`, into `report`.
    pub(crate) fn close(&self, now_ns: u64, watch: &[u32], report: &mut Report) -> io::Result<()> {
        let after = Self::until(now_ns, watch)?;
        let grown = |after: &[u64], before: &[u64]| -> Vec<u64> {
            let pairs = after.iter().zip(before);
            pairs.map(|(after, before)| after - before).collect()
        };
        let spent = grown(&after.cpu_us, &self.cpu_us);
        report.cpu_us = watch.iter().copied().zip(spent).collect();
        report.cores_us = grown(&after.cores_us, &self.cores_us);
        report.elapsed_us = (now_ns - self.at_ns) / 1000;
        Ok(())
    }
}

struct Drive {
    route: Route,
    plan: Plan,
    epoll: Epoll,
    connections: Vec<Connection>,
    free: VecDeque<usize>,
    next: usize,
    /// When what is reported began.
    since_ns: u64,
    report: Report,
}

impl Drive {
    fn connect(route: Route, plan: Plan) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let mut connections = Vec::with_capacity(plan.connections);
        for token in 0..plan.connections {
            let transport = route.connect(token)?;
            epoll.add(transport.descriptor(), token)?;
            let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
            connections.push(Connection {
                transport: Some(transport),
                buffer,
                filled: 0,
                due_ns: None,
            });
        }
        let free = (0..plan.connections).collect();
        let report = Report::new();
        Ok(Self {
            route,
            plan,
            epoll,
            connections,
            free,
            next: 0,
            since_ns: 0,
            report,
        })
    }

    /// Sends until the time is over or the requests are, then lets the last answers come in.
    fn measure(&mut self, requests: &Requests) -> io::Result<()> {
        exact_timers();
        let schedule = Schedule::start(self.plan.rate);
        let end_ns = self.plan.warm_ns + self.plan.run_ns;
        let mut began: Option<Spent> = None;
        loop {
            let now_ns = schedule.now_ns();
            if began.is_none() && now_ns >= self.plan.warm_ns {
                self.report = Report::new();
                self.report.since_us = unix_us();
                self.since_ns = now_ns;
                began = Some(Spent::until(now_ns, &self.plan.watch)?);
            }
            let exhausted = self.next >= requests.len() && !self.plan.cycle;
            if now_ns >= end_ns || exhausted {
                self.report.exhausted = exhausted;
                let began = began.unwrap_or_default();
                return began.close(now_ns, &self.plan.watch, &mut self.report);
            }
            self.send_due(requests, &schedule)?;
            let patience = schedule.patience(self.next, now_ns, !self.free.is_empty());
            let count = self.epoll.wait(Some(patience))?;
            for index in 0..count {
                let token = self.epoll.token(index);
                self.take(token, requests, &schedule)?;
            }
        }
    }

    /// Starts every request that is due while a connection is free.
    fn send_due(&mut self, requests: &Requests, schedule: &Schedule) -> io::Result<()> {
        while let Some(&token) = self.free.front() {
            let now_ns = schedule.now_ns();
            if self.plan.shed {
                self.next = schedule.skip_late(self.next, now_ns);
            }
            let due_ns = schedule.due_ns(self.next, now_ns);
            if due_ns > now_ns || (self.next >= requests.len() && !self.plan.cycle) {
                return Ok(());
            }
            self.free.pop_front();
            let bytes = requests.bytes(self.next % requests.len());
            self.next += 1;
            self.connections[token].due_ns = Some(due_ns);
            let sent = self.transport(token)?.send(bytes);
            if sent.is_err() {
                // Back to the loop that looks at the time: a dead server must not keep us here.
                self.abandon(token);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes what arrived on a connection, and sends the next request on it if one is due.
    fn take(&mut self, token: usize, requests: &Requests, schedule: &Schedule) -> io::Result<()> {
        let connection = &mut self.connections[token];
        let room = &mut connection.buffer[connection.filled..];
        // An event of a connection that failed in the same batch.
        let Some(transport) = &mut connection.transport else {
            return Ok(());
        };
        match transport.receive(room) {
            Ok(0) => {
                self.abandon(token);
                return self.send_due(requests, schedule);
            }
            Ok(count) => connection.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => {
                self.abandon(token);
                return self.send_due(requests, schedule);
            }
        }
        match scan(&connection.buffer[..connection.filled]) {
            Scan::Partial => Ok(()),
            Scan::Unreadable => {
                self.abandon(token);
                self.send_due(requests, schedule)
            }
            Scan::Whole { closing, .. } => {
                let Some(due_ns) = connection.due_ns.take() else {
                    self.abandon(token);
                    return self.send_due(requests, schedule);
                };
                let now_ns = schedule.now_ns();
                let status = status(&connection.buffer);
                self.report.answered(status, now_ns.saturating_sub(due_ns));
                if status == 200 {
                    self.report.passed(now_ns.saturating_sub(self.since_ns));
                }
                connection.filled = 0;
                if closing {
                    connection.transport = None;
                }
                self.free.push_back(token);
                self.send_due(requests, schedule)
            }
        }
    }

    /// The connection's transport, made again if it has failed.
    fn transport(&mut self, token: usize) -> io::Result<&mut Transport> {
        let connection = &mut self.connections[token];
        if connection.transport.is_none() {
            let transport = self.route.connect(token)?;
            self.epoll.add(transport.descriptor(), token)?;
            self.report.reconnects += 1;
            connection.transport = Some(transport);
        }
        connection
            .transport
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Gives up a connection, and the request in flight on it.
    fn abandon(&mut self, token: usize) {
        let connection = &mut self.connections[token];
        connection.transport = None;
        connection.filled = 0;
        if connection.due_ns.take().is_some() {
            self.report.broken += 1;
            self.free.push_back(token);
        }
    }
}

/// The time, in microseconds since the Unix epoch.
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}

/// Asks the kernel not to round our timeouts up by its usual 50 us.
fn exact_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}
