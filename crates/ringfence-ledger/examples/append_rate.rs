//! How many entries a second go into the log on this machine, and what the disk alone does.
//!
//! `cargo run --release --example append_rate [entries] [directory]`. Pin it to one core
//! (`taskset -c 0`) to see what one core does. Prints one line of JSON per measurement: rates per
//! second, times in microseconds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringfence_ledger::{
    Controls, DecisionEntry, Durability, Ledger, LedgerConfig, Mode, OrderFields, Progress,
    Refused, Saw, SigningKey, Standing, Verdict, Volumes, verify,
};

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

fn encode(number: u64, out: &mut Vec<u8>) {
    let controls = Controls {
        edge: Saw::Passed,
        operation: Saw::Passed,
        ..Controls::default()
    };
    DecisionEntry {
        about: None,
        abouts: &[],
        account: None,
        address: std::net::IpAddr::from([127, 0, 0, 1]).into(),
        claimed: None,
        controls,
        credential: None,
        dialect: "binance",
        latency_us: 42,
        listener: "spot",
        message: "0badcafe-1234567",
        method: "POST",
        operation: Some("order.place"),
        order: None::<OrderFields<'_>>,
        orders: &[],
        verdict: Verdict::Permitted,
        path: "/api/v3/order",
        proof: None,
        route: None,
        shard: None,
        state_changing: false,
        status: Some(200),
        time_us: 1_790_000_000_000_000 + number,
        topics: &[],
        transport: "http/1.1",
    }
    .encode(out);
}

fn open(directory: &Path, mode: Mode, on: impl Fn(Progress) + Send + 'static) -> Ledger {
    let config = LedgerConfig {
        volumes: Volumes::Whole,
        directory: directory.to_owned(),
        origin: "example.com/bench".into(),
        signing_key: SigningKey::from_seed(&[7; 32]).unwrap(),
        mode,
        checkpoint_ms: 1000,
        heartbeat_ms: 0,
        commit_addresses: false,
        preallocate_bytes: 16 << 20,
    };
    Ledger::open(config, now_us, Box::new(on)).unwrap().0
}

fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // utime and stime, in clock ticks of 10 ms.
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn throughput(directory: &Path, entries: u64) {
    let ledger = open(directory, Mode::Group { ms: 5 }, |_| {});
    let mut entry = Vec::new();
    let mut bytes = 0;
    let (start, cpu_before) = (Instant::now(), cpu());
    for number in 0..entries {
        encode(number, &mut entry);
        bytes += entry.len() as u64;
        while let Err(refused) = ledger.append(&entry, Durability::Relaxed) {
            assert_eq!(refused, Refused::Full);
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    ledger.close().unwrap();
    let took = start.elapsed();
    let rate = entries as f64 / took.as_secs_f64();
    let each = (cpu() - cpu_before).as_secs_f64() * 1e6 / entries as f64;
    say(
        &format!("group 5 ms, {} bytes each", bytes / entries),
        rate,
        each,
        Vec::new(),
    );
    let start = Instant::now();
    let vkey = SigningKey::from_seed(&[7; 32])
        .unwrap()
        .verifier("example.com/bench")
        .unwrap();
    let report = verify(directory, Some(&vkey.to_string()), &mut |_| {}).unwrap();
    assert!(report.clean(), "{report:?}");
    let each = start.elapsed().as_secs_f64() / report.size as f64;
    say("verify", 1.0 / each, each * 1e6, Vec::new());
}

fn strict(directory: &Path, clients: usize, each: usize) {
    let wake = Arc::new((Mutex::new(()), Condvar::new()));
    let waker = Arc::clone(&wake);
    let ledger = Arc::new(open(directory, Mode::Strict { group_ms: 5 }, move |_| {
        let _held = waker.0.lock().unwrap();
        waker.1.notify_all();
    }));
    let (start, cpu_before) = (Instant::now(), cpu());
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (ledger, wake) = (Arc::clone(&ledger), Arc::clone(&wake));
            std::thread::spawn(move || {
                let mut entry = Vec::new();
                let mut latencies = Vec::with_capacity(each);
                for number in 0..each {
                    encode(number as u64, &mut entry);
                    let start = Instant::now();
                    let ticket = ledger.append(&entry, Durability::Strict).unwrap();
                    let mut held = wake.0.lock().unwrap();
                    while ledger.standing(ticket) == Standing::Pending {
                        held = wake.1.wait(held).unwrap();
                    }
                    drop(held);
                    latencies.push(start.elapsed());
                }
                latencies
            })
        })
        .collect();
    let latencies: Vec<Duration> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    let each = (cpu() - cpu_before).as_secs_f64() * 1e6 / latencies.len() as f64;
    let writers = if clients == 1 { "writer" } else { "writers" };
    say(
        &format!("strict, {clients} {writers}"),
        rate,
        each,
        latencies,
    );
}

fn say(what: &str, rate: f64, cpu_us: f64, mut times: Vec<Duration>) {
    times.sort_unstable();
    let last = times.len().saturating_sub(1) as f64;
    let at = |share: f64| {
        times
            .get((last * share) as usize)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"what":"{what}","rate":{rate:.0},"cpu_us":{cpu_us:.2},"p50":{:.1},"p99":{:.1},"p999":{:.1}}}"#,
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

fn disk(directory: &Path, laid_out: bool) {
    let path = directory.join("disk");
    let file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .unwrap();
    if laid_out {
        file.write_all_at(&vec![0; 8 << 20], 0).unwrap();
        file.sync_all().unwrap();
    }
    let (began, cpu_before) = (Instant::now(), cpu());
    let times: Vec<Duration> = (0..2000)
        .map(|number| {
            let start = Instant::now();
            file.write_all_at(&[7; 1024], number * 1024).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    let what = if laid_out { "laid out" } else { "appending" };
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    let each = (cpu() - cpu_before).as_secs_f64() * 1e6 / times.len() as f64;
    let what = format!("1 KiB and fdatasync alone, {what}");
    say(&what, rate, each, times);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments
        .next()
        .map_or(2_000_000, |text| text.parse().expect("a number"));
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("ringfence-append-rate-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    disk(&directory, false);
    disk(&directory, true);
    throughput(&directory.join("group"), entries);
    for clients in [1, 32] {
        strict(
            &directory.join(format!("strict-{clients}")),
            clients,
            20_000 / clients,
        );
    }
    fs::remove_dir_all(&directory).unwrap();
}
