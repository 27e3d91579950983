//! Requests over HTTP: the only user of ureq. A request is sent once; whether to send it again is up to the caller, who knows what it does.

use crate::names::Names;
use std::{fs, io, io::Read, path::Path, sync::Arc, time::Duration};
use ureq::{
    Agent, Proxy, Timeout,
    http::Request,
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem},
    unversioned::transport::DefaultConnector,
};

/// So long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// No answer is larger; an engine that sends more without end is not one.
const LARGEST: u64 = 6 << 30;

/// Where Linux distributions and macOS keep the certificates that the machine trusts.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates to trust, and the client's own.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The certificates of those who may vouch for the engine; without it, those that the machine trusts.
    pub authorities: Option<std::path::PathBuf>,
    /// A certificate and its key that the engine asks for.
    pub own: Option<(std::path::PathBuf, std::path::PathBuf)>,
}

/// An HTTP client.
pub struct Client {
    agent: Agent,
}

/// An answer, whatever it says.
pub struct Answer {
    pub status: u16,
    pub tag: Option<String>,
    /// The members of the object's metadata that memlatch has put there.
    pub writes: Option<String>,
    /// How long to wait before the next attempt.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

/// There was no answer.
#[derive(Debug)]
pub enum Lost {
    /// The request did not leave this machine, so it did nothing.
    Unsent(String),
    /// Whether it did anything is not known.
    Unanswered(String),
}

impl Lost {
    pub fn why(self) -> String {
        match self {
            Lost::Unsent(why) | Lost::Unanswered(why) => why,
        }
    }
}

impl Client {
    /// A client for an engine. Within this machine there is no proxy, and nothing to be encrypted.
    pub fn new(trust: &Trust, within_this_machine: bool) -> Result<Self, String> {
        let tls = if within_this_machine { TlsConfig::default() } else { tls(trust)? };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .user_agent(concat!("memlatch/", env!("CARGO_PKG_VERSION")))
            .proxy(if within_this_machine { None } else { Proxy::try_from_env() })
            .tls_config(tls)
            .build();
        Ok(Client { agent: Agent::with_parts(config, DefaultConnector::default(), Names) })
    }

    /// Sends a request and reads the whole answer.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: &[u8],
        limit: Duration,
    ) -> Result<Answer, Lost> {
        let mut response = self.begin(method, url, headers, body, limit)?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (tag, writes) = (header("etag"), header("x-amz-meta-memlatch-writes"));
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|error| Lost::Unanswered(told(&error)))?;
        Ok(Answer { status, tag, writes, retry_after, body })
    }

    /// Sends a request whose answer has no end: reading from it blocks until something comes, or for `limit` in all.
    pub fn listen(
        &self,
        url: &str,
        headers: &[(&str, String)],
        body: &[u8],
        limit: Duration,
    ) -> Result<(u16, impl Read + use<>), Lost> {
        let response = self.begin("POST", url, headers, body, limit)?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().into_reader()))
    }

    fn begin(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: &[u8],
        limit: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, Lost> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let unsent = |error: ureq::http::Error| Lost::Unsent(error.to_string());
        // The clock of a request runs on while its answer is read.
        let sent = if body.is_empty() && matches!(method, "GET" | "HEAD" | "DELETE") {
            let request = request.body(()).map_err(unsent)?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(limit)).build())
        } else {
            let request = request.body(body).map_err(unsent)?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(limit)).build())
        };
        sent.map_err(
            |error| if is_unsent(&error) { Lost::Unsent(told(&error)) } else { Lost::Unanswered(told(&error)) },
        )
    }
}

/// Whether an error came before a byte of the request was sent.
fn is_unsent(error: &ureq::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => true,
        ureq::Error::Io(error) => {
            let kinds = [ConnectionRefused, HostUnreachable, NetworkUnreachable, AddrNotAvailable];
            kinds.contains(&error.kind()) || is_of_tls(error)
        }
        _ => false,
    }
}

/// The standard library's errors carry those of TLS within them.
fn is_of_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// An error in words, with what to do about it where that is known.
fn told(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::HostNotFound => "no host of that name is known".to_owned(),
        ureq::Error::Timeout(Timeout::Connect) => format!("no connection within {} s", CONNECT.as_secs()),
        ureq::Error::Timeout(Timeout::Resolve) => format!("its name was not found within {} s", CONNECT.as_secs()),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::ConnectProxyFailed(why) => format!("the proxy refuses the connection: {why}"),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    if text.contains("UnknownIssuer") {
        return format!(
            "nobody whom this machine trusts vouches for its certificate ({text}); name the authority: \"ca\" in \
             remotes.json, or SSL_CERT_FILE"
        );
    }
    text
}

fn tls(trust: &Trust) -> Result<TlsConfig, String> {
    let roots = match &trust.authorities {
        Some(file) => RootCerts::Specific(Arc::new(certificates(file)?)),
        // As many machines have authorities of their own; where none are found, those that browsers trust.
        None => match SYSTEM_CERTIFICATES.iter().map(Path::new).find(|file| file.exists()) {
            Some(file) => RootCerts::Specific(Arc::new(certificates(file)?)),
            None => RootCerts::WebPki,
        },
    };
    let own = trust.own.as_ref().map(|(certificate, key)| {
        let chain = certificates(certificate)?;
        let text = read(key)?;
        let key = PrivateKey::from_pem(&text).map_err(|error| format!("'{}' holds no key: {error}", key.display()))?;
        Ok::<_, String>(ClientCert::new_with_certs(&chain, key))
    });
    Ok(TlsConfig::builder().root_certs(roots).client_cert(own.transpose()?).build())
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let text = read(file)?;
    let found: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(format!("'{}' holds no certificate; it has to be one or more in PEM", file.display()));
    }
    Ok(found)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read '{}': {error}", file.display()))
}
