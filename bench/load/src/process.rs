//! What other processes have cost so far, as the kernel counts it.

use std::fs;
use std::io;

use crate::fault;

/// CPU time of process `pid` since it started, all threads, user and system, in microseconds.
///
/// Source: proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms.
pub(crate) fn cpu_us(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the command in parentheses and may itself hold spaces.
    let rest = text
        .rsplit_once(") ")
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let mut fields = rest.split(' ').skip(11).map(|f| f.parse::<u64>().ok());
    match (fields.next().flatten(), fields.next().flatten()) {
        (Some(user), Some(system)) => Ok((user + system) * 10_000),
        (None | Some(_), None | Some(_)) => {
            Err(fault(format!("cannot read the CPU time of {pid}")))
        }
    }
}

/// CPU times of several processes, in their order, in microseconds.
pub(crate) fn cpu_of(pids: &[u32]) -> io::Result<Vec<u64>> {
    pids.iter().map(|&pid| cpu_us(pid)).collect()
}

/// Time that each core has been busy since the machine started, in microseconds, core 0 first.
///
/// Source: proc_stat(5), all but idle, iowait and what counts twice as guest; ticks of 10 ms.
pub(crate) fn cores_busy_us() -> io::Result<Vec<u64>> {
    let text = fs::read_to_string("/proc/stat")?;
    let cores = text
        .lines()
        .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    Ok(cores
        .map(|line| {
            let fields = line
                .split(' ')
                .skip(1)
                .map(|f| f.parse::<u64>().unwrap_or(0));
            let busy = fields
                .take(8)
                .enumerate()
                .filter(|(place, _)| *place != 3 && *place != 4);
            busy.map(|(_, ticks)| ticks * 10_000).sum()
        })
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{cores_busy_us, cpu_us};

    #[test]
    fn cores_are_busy_for_longer_and_longer() {
        let before = cores_busy_us().unwrap();
        let after = cores_busy_us().unwrap();
        assert!(!before.is_empty());
        assert!(before.iter().zip(&after).all(|(b, a)| a >= b));
    }

    #[test]
    fn the_own_process_can_be_read_and_an_absent_one_cannot() {
        assert!(cpu_us(std::process::id()).unwrap() < 3_600_000_000);
        assert!(cpu_us(0).is_err());
    }
}
