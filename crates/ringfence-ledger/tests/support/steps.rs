//! Runs a child and kills it (SIGKILL) at a chosen step: right before or right after one of the
//! system calls by which a ledger changes what is on the disk. Source: ptrace(2).

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
    // SAFETY: between fork and exec only this one system call is made.
    #[allow(unsafe_code)]
    let child = unsafe {
        command.pre_exec(|| request(libc::PTRACE_TRACEME, 0, 0).map(|_| ()));
        command.spawn()
    };
    let child = child.expect("ptrace is allowed where the ledger is tested");
    let first = libc::pid_t::try_from(child.id()).unwrap();
    (follow(first, at), child)
}

fn follow(first: libc::pid_t, at: u64) -> End {
    let options = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
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
        // Before and after a system call alike.
        if stopped == libc::SIGTRAP | 0x80 && changes(thread) {
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
        let _ = request(libc::PTRACE_SYSCALL, thread, signal);
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

// Whether the thread stands before or after a call that changes something.
fn changes(thread: libc::pid_t) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        #[allow(unsafe_code)]
        // SAFETY: the registers are plain numbers, for which zero is a value, and outlive the call.
        let number = unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            match libc::ptrace(libc::PTRACE_GETREGS, thread, 0, &raw mut registers) {
                0 => registers.orig_rax as libc::c_long,
                _ => return false,
            }
        };
        CHANGES.contains(&number)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        // Every call is a step there.
        let _ = (thread, CHANGES);
        true
    }
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
