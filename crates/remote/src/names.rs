//! Names of hosts → addresses.
//!
//! A program that is linked statically cannot ask the C library: that would load the library's plug-ins, of exactly the version
//! that it was linked with, from the machine it runs on. Such a program asks `getent`, which comes with the library itself.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ArrayVec, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Nobody needs more addresses of one host than there is time to try.
const MOST: usize = 16;

/// Looks names up for the HTTP client.
#[derive(Debug)]
pub struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let limit = if timeout.after.is_not_happening() { Duration::from_secs(10) } else { *timeout.after };
        let addresses = look_up(host.trim_start_matches('[').trim_end_matches(']'), limit)?;
        let unset = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let mut found = ArrayVec::from_fn(|_| unset);
        addresses.into_iter().take(MOST).for_each(|address| found.push(SocketAddr::new(address, port)));
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

fn look_up(host: &str, limit: Duration) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if cfg!(target_feature = "crt-static") { ask_getent(host, limit) } else { ask_library(host.to_owned(), limit) }
}

/// The library's question has no time limit of its own.
fn ask_library(host: String, limit: Duration) -> io::Result<Vec<IpAddr>> {
    let (answer, answered) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || _ = answer.send((host.as_str(), 0).to_socket_addrs()))?;
    let addresses = answered.recv_timeout(limit).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(addresses.map(|address| address.ip()).collect())
}

fn ask_getent(host: &str, limit: Duration) -> io::Result<Vec<IpAddr>> {
    let mut child = Command::new("getent")
        .args(["ahosts", "--", host])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::other(format!("cannot run getent, which looks names up: {error}")))?;
    let (answer, answered) = mpsc::sync_channel(1);
    let output = child.stdout.take();
    thread::Builder::new().spawn(move || {
        let mut text = String::new();
        let read = output.map(|mut output| output.read_to_string(&mut text));
        _ = answer.send(read.map(|_| text));
    })?;
    let text = answered.recv_timeout(limit);
    if text.is_err() {
        _ = child.kill();
    }
    _ = child.wait();
    let text = text.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.unwrap_or_default();
    // Each address stands there once for each kind of socket.
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_found_by_either_way() {
        let limit = Duration::from_secs(10);
        for found in [ask_getent("localhost", limit), ask_library("localhost".to_owned(), limit)] {
            assert!(found.expect("an answer").iter().any(IpAddr::is_loopback));
        }
        assert_eq!(ask_getent("no-such-host.invalid", limit).expect("an answer"), Vec::<IpAddr>::new());
    }
}
