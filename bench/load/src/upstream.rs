//! The plainest exchange there is: answers every request with the same small JSON.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;

use crate::arguments::Arguments;
use crate::epoll::Epoll;
use crate::response::{Scan, scan};
use crate::socket;

const BODY: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"6gCrw2kRUAF9CvJDGP16IP","transactTime":1507725176595,"price":"30000.00000000","origQty":"0.01000000","executedQty":"0.00000000","status":"NEW"}"#;

const BUFFER_BYTES: usize = 4096;
const LISTENER: usize = usize::MAX;

struct Client {
    stream: TcpStream,
    buffer: [u8; BUFFER_BYTES],
    filled: usize,
}

/// Serves `--listen` until killed.
pub(crate) fn serve(arguments: &Arguments) -> io::Result<()> {
    let address: SocketAddrV4 = arguments.required("listen")?;
    arguments.finish()?;
    let listener = socket::listen(address)?;
    listener.set_nonblocking(true)?;
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), LISTENER)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut clients: Vec<Option<Box<Client>>> = Vec::new();
    println!("ready {address}");
    loop {
        let count = epoll.wait(None)?;
        for index in 0..count {
            let token = epoll.token(index);
            if token == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    admit(&mut clients, &epoll, stream)?;
                }
            } else if let Some(slot) = clients.get_mut(token) {
                let finished = match slot {
                    Some(client) => client.answer(answer.as_bytes()).is_err(),
                    None => false,
                };
                if finished {
                    *slot = None;
                }
            }
        }
    }
}

fn admit(
    clients: &mut Vec<Option<Box<Client>>>,
    epoll: &Epoll,
    stream: TcpStream,
) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let token = clients
        .iter()
        .position(Option::is_none)
        .unwrap_or(clients.len());
    if token == clients.len() {
        clients.push(None);
    }
    epoll.add(stream.as_raw_fd(), token)?;
    clients[token] = Some(Box::new(Client {
        stream,
        buffer: [0; BUFFER_BYTES],
        filled: 0,
    }));
    Ok(())
}

impl Client {
    /// Reads once and answers every whole request; an error means that this client is done.
    fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        loop {
            match scan(&self.buffer[..self.filled]) {
                Scan::Whole { length, .. } => {
                    self.stream.write_all(answer)?;
                    self.buffer.copy_within(length..self.filled, 0);
                    self.filled -= length;
                }
                Scan::Partial => return Ok(()),
                Scan::Unreadable => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}
