//! One attempt to connect.

use std::{
    io,
    net::TcpStream as Breaker,
    os::fd::AsFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_compat::Compat;
use callgate_core::{Context, UpstreamError};
use callgate_http::TlsSettings;
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, ErrorKind,
    auth::AuthProvider,
    tcp::RustlsConnector,
    types::LongString,
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{
    address::{Login, Server},
    config::{Config, Identity},
    error::AmqpError,
};

/// How brokers are connected to.
#[derive(Debug)]
pub(crate) struct Dialing {
    servers: Vec<(Server, Identity)>,
    tls: Option<RustlsConnector>,
    server_name: Option<String>,
    name: String,
    heartbeat: u16,
    limit: Duration,
}

/// A connection, and what cuts it.
pub(crate) struct Dialed {
    pub(crate) connection: Connection,
    pub(crate) breaker: Breaker,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: Arc<str>,
    /// The broker refuses the gateway's credentials or the virtual host.
    pub(crate) denied: bool,
}

impl From<Failure> for AmqpError {
    fn from(Failure { why, denied }: Failure) -> Self {
        if denied { Self::Refused { why } } else { Self::Disconnected { why: Some(why) } }
    }
}

/// The broker knows the gateway by its certificate.
struct External;

impl AuthProvider for External {}

impl Dialing {
    /// Reads what is needed; files of certificates too.
    pub(crate) async fn new(config: &Config, context: &Context) -> Result<Self, UpstreamError> {
        let flawed = |flaw: callgate_core::Invalid| AmqpError::Settings(flaw.message);
        let servers = config.servers().map_err(flawed)?;
        let identities = servers.iter().map(|server| config.identity(server)).collect::<Result<Vec<_>, _>>();
        let tls = match servers.iter().any(|server| server.secure) {
            true => Some(connector(config, context).await?),
            false => None,
        };
        Ok(Self {
            servers: servers.into_iter().zip(identities.map_err(flawed)?).collect(),
            tls,
            server_name: config.tls.as_ref().and_then(|tls| tls.server_name.clone()),
            name: config.name.as_deref().unwrap_or("callgate").to_owned(),
            heartbeat: config.heartbeat(),
            limit: config.connect_timeout(),
        })
    }

    /// How many brokers there are to try.
    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// Connects to one of them. To be called on the runtime that the connection is to live on.
    pub(crate) async fn dial(&self, number: usize) -> Result<Dialed, Failure> {
        let (server, identity) = &self.servers[number % self.servers.len()];
        let failed = |error: io::Error| Failure { why: format!("{server}: {error}").into(), denied: false };
        let opened = timeout(self.limit, self.open(server)).await;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let (stream, breaker) = opened.map_err(|_| failed(late()))?.map_err(failed)?;
        let greeted = timeout(self.limit, self.greet(server, identity, stream)).await;
        let connection = match greeted {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                drop(breaker.shutdown(std::net::Shutdown::Both));
                return Err(Failure { why: format!("{server}: {error}").into(), denied: is_denial(&error) });
            }
            Err(_) => {
                // The client library's thread would wait for the broker for ever.
                drop(breaker.shutdown(std::net::Shutdown::Both));
                return Err(failed(late()));
            }
        };
        Ok(Dialed { connection, breaker })
    }

    /// The broker's address, for the log.
    pub(crate) fn server(&self, number: usize) -> &Server {
        &self.servers[number % self.servers.len()].0
    }

    async fn open(&self, server: &Server) -> io::Result<(AsyncTcpStream<Compat<TcpStream>>, Breaker)> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let mut connected = None;
        for address in lookup_host((server.host.as_str(), server.port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = connected.ok_or(last)?;
        stream.set_nodelay(true)?;
        let breaker = Breaker::from(stream.as_fd().try_clone_to_owned()?);
        let stream = AsyncTcpStream::Plain(Compat::new(stream));
        let stream = match self.tls.as_ref().filter(|_| server.secure) {
            Some(tls) => stream.into_rustls(tls, self.server_name.as_deref().unwrap_or(&server.host)).await?,
            None => stream,
        };
        Ok((stream, breaker))
    }

    async fn greet(
        &self,
        server: &Server,
        identity: &Identity,
        stream: AsyncTcpStream<Compat<TcpStream>>,
    ) -> lapin::Result<Connection> {
        let mut properties = ConnectionProperties::default()
            .with_client_property("product".into(), "Callgate".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
            .with_connection_name(LongString::from(self.name.as_str()));
        let login = match identity {
            Identity::Plain(login) => login.clone(),
            Identity::External => {
                properties = properties.with_auth_provider(External);
                Login { user: String::new(), password: String::new() }
            }
        };
        let uri = AMQPUri {
            scheme: if server.secure { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: login.user, password: login.password },
                host: server.host.clone(),
                port: server.port,
            },
            vhost: server.vhost.clone(),
            query: AMQPQueryString { heartbeat: Some(self.heartbeat), ..AMQPQueryString::default() },
        };
        let once = Mutex::new(Some(stream));
        let connect = async move |_, _| {
            let stream = once.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            stream.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted).into())
        };
        Connection::connector(uri, lapin::runtime::default_runtime()?, connect, properties).await
    }
}

/// TLS, from files and the system's authorities, which are read away from the workers.
async fn connector(config: &Config, context: &Context) -> Result<RustlsConnector, UpstreamError> {
    let settings: TlsSettings = config.tls.clone().unwrap_or_default();
    let files = context.clone();
    let built = context.blocking(move || settings.client_config(&files)).await;
    let built = built.map_err(|_| AmqpError::Disconnected { why: Some("the gateway stops".into()) })?;
    Ok(RustlsConnector::from(built.map_err(|error| AmqpError::Tls(Arc::new(error)))?))
}

/// Whether the broker refuses the gateway: its user or the virtual host.
fn is_denial(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(told) => matches!(told.get_id(), 403 | 530),
        ErrorKind::AuthProviderError(_) => true,
        _ => false,
    }
}
