//! Where the server is, and what is shown there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringfence_core::cluster::ClusterKey;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::error::GateError;
use crate::snapshot::ServerConfig;
use crate::tls;

/// Where it is.
enum Place {
    Net(String),
    Local(PathBuf),
}

/// What moves bytes to it and back.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The server.
pub(crate) struct Server {
    place: Place,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: u32,
    /// Names subjects there.
    pub(super) key: ClusterKey,
}

impl Server {
    /// Takes it as a snapshot has it.
    pub(super) fn open(config: &ServerConfig, ca: Option<&Path>) -> Result<Self, GateError> {
        let wrong = |what: &str| GateError::config("cluster.url", what);
        let place = match (&config.address, &config.socket) {
            (Some(address), None) => Place::Net(address.clone()),
            (None, Some(path)) => Place::Local(path.clone()),
            (Some(_), Some(_)) | (None, None) => return Err(wrong("names no server")),
        };
        let tls = match (ca, &config.host) {
            (Some(ca), Some(host)) => {
                let name = ServerName::try_from(host.clone());
                let name =
                    name.map_err(|_| wrong("names no host that a certificate could be of"))?;
                Some((tls::client(ca, "cluster.ca", &[])?, name))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(wrong("and ca do not go together")),
        };
        let secret = unhex(&config.secret).filter(|secret| secret.len() >= 32);
        let secret = secret.ok_or_else(|| wrong("has no key for names"))?;
        Ok(Self {
            place,
            tls,
            user: config.user.clone(),
            password: config.password.clone(),
            database: config.database,
            key: ClusterKey::new(&secret),
        })
    }

    /// Connects to it.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let address = match &self.place {
            Place::Net(address) => address,
            Place::Local(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        };
        let stream = TcpStream::connect(address).await?;
        // A message that waits is not to wait for an acknowledgement, too.
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Ok(Box::new(connector.connect(name.clone(), stream).await?))
            }
        }
    }
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}
