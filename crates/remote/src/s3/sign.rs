//! Signatures of requests, version 4, in a header: what a URL holds ends up in logs.
//!
//! See "Authenticating Requests (AWS Signature Version 4)" in the reference of Amazon S3.

use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// A request to be signed.
pub struct Request<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// As it stands in the URL.
    pub path: &'a str,
    pub region: &'a str,
}

/// Who signs.
pub struct Key<'a> {
    pub id: &'a str,
    pub secret: &'a str,
    pub token: Option<&'a str>,
}

/// The headers that a request needs beside the `others`, all of which are signed.
pub fn headers(
    request: &Request<'_>,
    others: &[(&str, String)],
    body: &[u8],
    key: &Key<'_>,
    now: SystemTime,
) -> Vec<(&'static str, String)> {
    let (day, time) = stamp(now);
    let mut added =
        vec![("x-amz-content-sha256", hex(&Sha256::digest(body))), ("x-amz-date", format!("{day}T{time}Z"))];
    added.extend(key.token.map(|token| ("x-amz-security-token", token.to_owned())));
    let mut signed: Vec<(&str, &str)> = others.iter().map(|(name, value)| (*name, value.as_str())).collect();
    signed.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    signed.push(("host", request.host));
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = format!("{}\n{}\n\n{lines}\n{names}\n{}", request.method, request.path, added[0].1);
    let scope = format!("{day}/{}/s3/aws4_request", request.region);
    let text = format!("AWS4-HMAC-SHA256\n{day}T{time}Z\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let first = format!("AWS4{}", key.secret).into_bytes();
    let key_of_day = [&day, request.region, "s3", "aws4_request"]
        .iter()
        .fold(first, |key, part| hmac(&key, part.as_bytes()).to_vec());
    let signature = hex(&hmac(&key_of_day, text.as_bytes()));
    let id = key.id;
    added.push((
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"),
    ));
    added
}

/// HMAC with SHA-256, see RFC 2104.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment as `20130524` and `000000`.
fn stamp(now: SystemTime) -> (String, String) {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = ((seconds / 86400) as i64, seconds % 86400);
    // The days of the calendar in eras of 400 years that begin in March; see H. Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms".
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (format!("{year:04}{month:02}{day:02}"), format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The examples of the reference: an object is got in part, and put.
    #[test]
    fn the_examples_of_the_reference_are_signed_as_there() {
        let key = Key { id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token: None };
        let signature = |method, path, others: &[(&str, String)], body: &[u8]| {
            let request = Request { method, host: "examplebucket.s3.amazonaws.com", path, region: "us-east-1" };
            let headers = headers(&request, others, body, &key, at(1_369_353_600));
            headers.last().expect("a signature").1.rsplit_once("Signature=").expect("a signature").1.to_owned()
        };
        assert_eq!(
            signature("GET", "/test.txt", &[("range", "bytes=0-9".to_owned())], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let others = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        assert_eq!(
            signature("PUT", "/test%24file.text", &others, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day, time) in [
            (0, "19700101", "000000"),
            (951_827_696, "20000229", "123456"),
            (1_796_083_200, "20261201", "000000"),
            (4_107_542_399, "21000228", "235959"),
        ] {
            assert_eq!(stamp(at(seconds)), (day.to_owned(), time.to_owned()));
        }
    }
}
