//! TCP over IPv4: connect from a chosen source address, listen, no delay.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Connects to `target`, from `source` when given. Blocking, without Nagle's delay.
pub(crate) fn connect(target: SocketAddrV4, source: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    // SAFETY: no pointers; the result is checked.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let size = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    if let Some(source) = source {
        let address = raw(SocketAddrV4::new(source, 0));
        // SAFETY: `address` is a whole sockaddr_in and outlives the call.
        let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let address = raw(target);
    // SAFETY: as above.
    let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Listens on `address` with a queue that a thousand simultaneous connects do not overflow.
pub(crate) fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // SAFETY: no pointers; listening again only changes the queue's length.
    let result = unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(listener)
    }
}

fn raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    }
}
