//! How a link begins: we say who we are, see whether the server can be relied on, and bring our scripts.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Cluster;
use super::scripts;
use super::server::Stream;
use super::words::{self, Said};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the server remembers of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Memory {
    /// Another one when it has begun anew.
    pub(super) id: String,
    /// The latest time that it ever counted by; milliseconds since the epoch.
    pub(super) now_ms: u64,
}

/// What stands at its other end, ready to be asked.
pub(super) struct Greeted {
    pub(super) stream: Box<dyn Stream>,
    pub(super) memory: Memory,
}

/// Connects and greets. `known` is what was known of its memory.
///
/// # Errors
///
/// Why it cannot be used, for people.
pub(super) async fn greet(cluster: &Cluster, known: Option<&str>) -> Result<Greeted, String> {
    let greeting = async {
        let stream = cluster.server.connect().await;
        let stream = stream.map_err(|e| format!("it cannot be reached: {e}"))?;
        let mut talk = Talk {
            stream,
            heard: BytesMut::new(),
        };
        let memory = talk.begin(cluster, known).await?;
        Ok(Greeted {
            stream: talk.stream,
            memory,
        })
    };
    let late = |_| format!("no answer to a greeting in {} ms", PATIENCE.as_millis());
    timeout(PATIENCE, greeting).await.map_err(late)?
}

/// One command at a time.
struct Talk {
    stream: Box<dyn Stream>,
    heard: BytesMut,
}

impl Talk {
    async fn begin(&mut self, cluster: &Cluster, known: Option<&str>) -> Result<Memory, String> {
        let server = &cluster.server;
        match (&server.user, &server.password) {
            (Some(user), Some(password)) => {
                self.ask(&[b"AUTH", user.as_bytes(), password.as_bytes()])
                    .await?;
            }
            (None, Some(password)) => {
                self.ask(&[b"AUTH", password.as_bytes()]).await?;
            }
            (_, None) => {}
        }
        if server.database > 0 {
            self.ask(&[b"SELECT", server.database.to_string().as_bytes()])
                .await?;
        }
        let info = self.ask(&[b"INFO"]).await?;
        let run = relied_on(info.text().unwrap_or_default())?;
        for script in [scripts::BEGIN, scripts::TAKE, scripts::REMEMBER] {
            self.ask(&[b"SCRIPT", b"LOAD", script.as_bytes()]).await?;
        }
        let begin = scripts::name(scripts::BEGIN);
        let fresh = fresh()?;
        let check = hex(&server.key.name(b"check", &[]));
        let unsure_ms = cluster.unsure_ms.to_string();
        let words: [&[u8]; 9] = [
            b"EVALSHA",
            &begin,
            b"1",
            &cluster.state,
            known.unwrap_or_default().as_bytes(),
            fresh.as_bytes(),
            run.as_bytes(),
            check.as_bytes(),
            unsure_ms.as_bytes(),
        ];
        memory(&self.ask(&words).await?)
            .ok_or_else(|| "it remembers nothing that can be read".into())
    }

    async fn ask(&mut self, words: &[&[u8]]) -> Result<Said, String> {
        let mut out = BytesMut::new();
        words::put(&mut out, words.iter().copied());
        let broken = |e: std::io::Error| format!("it broke off: {e}");
        self.stream.write_all(&out).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        loop {
            let said = words::take(&mut self.heard);
            if let Some(said) = said.map_err(|_| "it speaks another language")? {
                return match said {
                    Said::Refused(why) => Err(refused(words, &why)),
                    Said::List(_) | Said::Nothing | Said::Number(_) | Said::Text(_) => Ok(said),
                };
            }
            if self
                .stream
                .read_buf(&mut self.heard)
                .await
                .map_err(broken)?
                == 0
            {
                return Err("it broke off".into());
            }
        }
    }
}

/// Returns what is refused. What it says may repeat what it was told: the first word of it is enough.
fn refused(words: &[&[u8]], why: &str) -> String {
    let command = words.first().copied().unwrap_or_default();
    let command = String::from_utf8_lossy(command);
    match why.strip_prefix("RINGFENCE ") {
        Some(why) => why.into(),
        None => {
            let code = why.split(' ').next().unwrap_or_default();
            format!("it refuses {command}: {code}")
        }
    }
}

/// Returns which process it is, if what it keeps stays there until we let it go.
fn relied_on(info: &str) -> Result<&str, String> {
    let field = |name: &str| {
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.trim())
    };
    let run = field("run_id").ok_or("it does not say which process it is")?;
    if field("role") != Some("master") {
        return Err("it is a replica; name the primary".into());
    }
    if field("loading").is_some_and(|loading| loading != "0") {
        return Err("it is still loading".into());
    }
    match (field("maxmemory"), field("maxmemory_policy")) {
        (Some("0"), _) | (_, Some("noeviction")) => Ok(run),
        _ => Err("it forgets when its memory is full; set maxmemory-policy noeviction".into()),
    }
}

fn memory(said: &Said) -> Option<Memory> {
    let Said::List(items) = said else {
        return None;
    };
    let [id, now, ..] = &items[..] else {
        return None;
    };
    let Said::Number(now_ms) = now else {
        return None;
    };
    Some(Memory {
        id: id.text()?.into(),
        now_ms: u64::try_from(*now_ms).ok()?,
    })
}

fn fresh() -> Result<String, String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gave no randomness")?;
    Ok(hex(&bytes))
}

/// Returns bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const GOOD: &str = "run_id:abc\r\nrole:master\r\nloading:0\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n";

    #[test]
    fn a_server_that_would_forget_is_not_relied_on() {
        assert_eq!(relied_on(GOOD), Ok("abc"));
        let unbounded = GOOD
            .replace("1000", "0")
            .replace("noeviction", "allkeys-lru");
        assert_eq!(relied_on(&unbounded), Ok("abc"));
        for (from, to, word) in [
            ("noeviction", "volatile-ttl", "noeviction"),
            ("role:master", "role:slave", "primary"),
            ("loading:0", "loading:1", "loading"),
            ("run_id", "other", "process"),
        ] {
            let why = relied_on(&GOOD.replace(from, to)).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_told_without_what_it_was_told() {
        let why = refused(&[b"AUTH", b"hunter2"], "WRONGPASS invalid hunter2");
        assert_eq!(why, "it refuses AUTH: WRONGPASS");
    }
}
