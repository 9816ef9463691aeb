//! One client connection: plain or TLS, one request at a time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::arguments::Arguments;
use crate::socket;

/// Where and how connections are made.
pub(crate) struct Route {
    target: SocketAddrV4,
    /// Connections take these in turn; none means what the system chooses.
    sources: Vec<Ipv4Addr>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Route {
    /// Reads `--target`, `--source` (any number), `--tls-ca` and `--tls-name`. A server is offered `protocols` by ALPN.
    pub(crate) fn from_arguments(arguments: &Arguments, protocols: &[&[u8]]) -> io::Result<Self> {
        let name: Option<String> = arguments.optional("tls-name")?;
        let name = ServerName::try_from(name.unwrap_or_else(|| "localhost".into()))
            .map_err(io::Error::other)?;
        let tls = match arguments.optional::<String>("tls-ca")? {
            None => None,
            Some(path) => Some((tls_config(&path, protocols)?, name)),
        };
        Ok(Self {
            target: arguments.required("target")?,
            sources: arguments.all("source")?,
            tls,
        })
    }

    /// The target as text, for the Host field.
    pub(crate) fn host(&self) -> String {
        self.target.to_string()
    }

    /// How connections are encrypted, and for whom.
    pub(crate) fn tls(&self) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        self.tls.clone()
    }

    /// Makes the `nth` connection without TLS. It blocks.
    pub(crate) fn open(&self, nth: usize) -> io::Result<TcpStream> {
        let source = self.sources.get(nth % self.sources.len().max(1)).copied();
        socket::connect(self.target, source)
    }

    /// Makes the `nth` connection: connects, shakes hands, and stops blocking.
    pub(crate) fn connect(&self, nth: usize) -> io::Result<Transport> {
        let mut stream = self.open(nth)?;
        let tls = match &self.tls {
            None => None,
            Some((config, name)) => {
                let mut session = ClientConnection::new(Arc::clone(config), name.clone())
                    .map_err(io::Error::other)?;
                while session.is_handshaking() {
                    session.complete_io(&mut stream)?;
                }
                Some(Box::new(session))
            }
        };
        stream.set_nonblocking(true)?;
        Ok(Transport { stream, tls })
    }
}

/// A connected socket, perhaps with TLS on it.
pub(crate) struct Transport {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    /// The descriptor to wait on.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Sends all of `bytes`. The socket's buffer is empty between requests, so a short write
    /// means that something is wrong, and is an error.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            let sent = self.stream.write(bytes)?;
            return if sent == bytes.len() {
                Ok(())
            } else {
                Err(io::ErrorKind::WriteZero.into())
            };
        };
        tls.writer().write_all(bytes)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Reads what is there: `Ok(0)` is the end, `WouldBlock` is nothing yet.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(buffer);
        };
        if tls.read_tls(&mut self.stream)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        tls.reader().read(buffer)
    }
}

fn tls_config(path: &str, protocols: &[&[u8]]) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        roots
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let provider = rustls::crypto::CryptoProvider {
        // One suite, so that every contender encrypts alike.
        cipher_suites: vec![rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
