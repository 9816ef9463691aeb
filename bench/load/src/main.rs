//! The load generator and the plain upstream of the benchmark.
//!
//! Both run on one thread, over epoll but for HTTP/2 and do as little as possible per request, because they
//! share a core with each other and must not be what a proxy is waiting for.
//!
//! `ringfence-load upstream --listen 127.0.0.1:9000`
//! `ringfence-load load --target 127.0.0.1:8080 --credentials FILE --kind order ...`

mod arguments;
mod credential;
mod drive;
mod epoll;
mod histogram;
mod http2;
mod process;
mod report;
mod request;
mod response;
mod schedule;
mod socket;
mod transport;
mod upstream;

use std::process::ExitCode;

use arguments::Arguments;

const USAGE: &str = "usage: ringfence-load upstream --listen ADDRESS\n       \
ringfence-load load --target ADDRESS --credentials FILE --kind order|cancel|read --connections N \
--run-ms N [--warm-ms N] [--requests N] [--rate N [--shed] | --streams N] [--forged] [--source IP]... \
[--tls-ca FILE] [--tls-name NAME] [--recv-window-ms N] [--watch PID]...";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let result = match words.next().as_deref() {
        Some("upstream") => Arguments::parse(words).and_then(|a| upstream::serve(&a)),
        Some("load") => Arguments::parse(words).and_then(|a| drive::run(&a)),
        Some(_) | None => Err(fault(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringfence-load: {error}");
            ExitCode::from(2)
        }
    }
}

/// An error that is only ever shown to whoever started the program.
fn fault(text: impl Into<String>) -> std::io::Error {
    std::io::Error::other(text.into())
}
