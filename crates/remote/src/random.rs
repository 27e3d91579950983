//! Numbers that nobody else has: the names of writes and leases.

use std::{fs::File, io::Read};

/// 64 bits of the system's randomness.
pub fn number() -> u64 {
    let mut bytes = [0; 8];
    match File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)) {
        Ok(()) => u64::from_ne_bytes(bytes),
        // Without the device, what differs between any two processes: when they ask, and their numbers.
        Err(_) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            (now.as_nanos() as u64).rotate_left(32) ^ u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }
    }
}

/// The name of one write, in 16 digits.
pub fn write_id() -> String {
    format!("{:016x}", number())
}

/// The number of a lease: positive, as etcd wants it.
pub fn lease_id() -> i64 {
    ((number() >> 1) | 1) as i64
}
