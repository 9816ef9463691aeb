//! Runs a child and kills it (SIGKILL) at a chosen step: right before or right after one of the
//! system calls by which a ledger changes what is on the disk. A filter of the child's own stops it
//! there and nowhere else. Sources: ptrace(2), seccomp(2).

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// What changes files or their names, or makes a change durable.
const CHANGES: &[libc::c_long] = &[
    libc::SYS_pwrite64,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
];

/// How a child ended.
#[derive(Debug, Eq, PartialEq)]
pub enum End {
    /// Killed at the step.
    Killed,
    /// It ended by itself after so many steps, with success.
    Done(u64),
}

/// Runs `command` up to step `at`, counted from 0 over all its threads. What it wrote to its
/// standard output is in the pipe of the child.
pub fn run(command: &mut Command, at: u64) -> (End, Child) {
    let filter = filter();
    // SAFETY: between fork and exec only these three system calls are made.
    #[allow(unsafe_code)]
    let child = unsafe {
        command.pre_exec(move || {
            request(libc::PTRACE_TRACEME, 0, 0)?;
            stop_at(&filter)
        });
        command.spawn()
    };
    let child = child.expect("ptrace is allowed where the ledger is tested");
    let first = libc::pid_t::try_from(child.id()).unwrap();
    (follow(first, at), child)
}

/// What has a thread stopped before each of the calls that change something.
fn filter() -> Vec<libc::sock_filter> {
    let bpf = |code: u32, jump_true: u8, jump_false: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: jump_true,
        jf: jump_false,
        k,
    };
    let answer = |what| bpf(libc::BPF_RET | libc::BPF_K, 0, 0, what);
    // The call's number stands first in what a filter sees.
    let mut filter = vec![bpf(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (index, call) in CHANGES.iter().enumerate() {
        let behind = u8::try_from(CHANGES.len() - index).unwrap();
        let number = u32::try_from(*call).unwrap();
        let same = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        filter.push(bpf(same, behind, 0, number));
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter.push(answer(libc::SECCOMP_RET_TRACE));
    filter
}

fn stop_at(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or_default(),
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: plain numbers, and a program that outlives the call and is only read.
    #[allow(unsafe_code)]
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    };
    set.then_some(()).ok_or_else(io::Error::last_os_error)
}

fn follow(first: libc::pid_t, at: u64) -> End {
    let options = libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_EXITKILL;
    let (mut steps, mut began, mut killed) = (0, false, false);
    loop {
        let (thread, status) = wait();
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            if thread != first {
                continue;
            }
            return match libc::WIFSIGNALED(status) {
                true => {
                    assert!(killed, "the child died by itself: {status:x}");
                    End::Killed
                }
                false => {
                    assert_eq!(libc::WEXITSTATUS(status), 0, "the child failed");
                    End::Done(steps)
                }
            };
        }
        if !began {
            request(libc::PTRACE_SETOPTIONS, thread, options as usize).unwrap();
            began = true;
        }
        let stopped = libc::WSTOPSIG(status);
        let before = status >> 16 == libc::PTRACE_EVENT_SECCOMP;
        let after = stopped == libc::SIGTRAP | 0x80;
        if before || after {
            if steps == at {
                killed = true;
                #[allow(unsafe_code)]
                // SAFETY: a plain system call about a child of ours.
                unsafe {
                    libc::kill(first, libc::SIGKILL);
                }
            }
            steps += 1;
        }
        // Stops that are no signals are not handed on. A thread that died meanwhile is not there.
        let signal = match stopped & 0x7f {
            libc::SIGTRAP | libc::SIGSTOP => 0,
            signal => signal as usize,
        };
        // From before a call to behind it, from there to the next that changes something.
        let onwards = if before {
            libc::PTRACE_SYSCALL
        } else {
            libc::PTRACE_CONT
        };
        let _ = request(onwards, thread, signal);
    }
}

// The children of this thread only: other tests have their own.
fn wait() -> (libc::pid_t, libc::c_int) {
    const NOTHREAD: libc::c_int = 0x2000_0000;
    let mut status = 0;
    #[allow(unsafe_code)]
    // SAFETY: `status` outlives the call.
    let thread = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | NOTHREAD) };
    assert!(thread > 0, "{}", io::Error::last_os_error());
    (thread, status)
}

fn request(what: libc::c_uint, thread: libc::pid_t, data: usize) -> io::Result<libc::c_long> {
    #[allow(unsafe_code)]
    // SAFETY: the requests used here take plain numbers.
    let answer = unsafe { libc::ptrace(what, thread, 0, data) };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}
