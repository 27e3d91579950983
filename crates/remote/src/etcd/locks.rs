//! Locks on etcd: leases in a queue that is ordered by when they lined up.
//!
//! The first in the queue holds the lock. Everybody else sleeps in a watch on the one before, so that the end of a hold wakes
//! one waiter. A lease ends on the server if nothing is heard of its holder; that may be early for the holder, never for
//! others, because each write names the holder's place in the queue.

use super::{Cluster, Fault, code, documents::entry, keys, wire};
use crate::{
    Moment,
    engine::{Entry, Error, Ladder, Rung},
    random,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    thread,
    time::Duration,
};

/// A place in the queue for a lock.
#[derive(Clone, Debug)]
pub struct Place {
    pub rung: Rung,
    /// The lease's length, as the server has granted it.
    pub ttl: Duration,
    /// Until then the server keeps the lease, for this long since the last request that it answered was sent.
    pub kept_until: Moment,
    /// Who was first when it lined up; nobody if it was first itself.
    pub before: Option<Entry>,
}

/// What a wait for a lock came to.
#[derive(Debug)]
pub enum Turn {
    /// The lock is held.
    Mine,
    /// The time is up; the lock is held by this one.
    TimeUp(Option<Entry>),
    /// The lease is over: nothing was heard of us for too long, or somebody has ended it.
    Lost,
}

/// A lock somewhere in the engine, and all who stand in its queue.
#[derive(Clone, Debug)]
pub struct Lock {
    pub key: String,
    /// In the order in which they lined up; the first is the holder.
    pub queue: Vec<Entry>,
}

/// A wait never sleeps longer without a look around: what it is told of may come from a member that is cut off.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

impl Cluster {
    /// Takes a place in the queue for the lock of a document, below the holds of `under`.
    ///
    /// `None`: one of those holds is lost.
    pub fn line_up(
        &self,
        key: &str,
        under: &Ladder,
        info: &[u8],
        ttl: Duration,
        until: Moment,
    ) -> Result<Option<Place>, Error> {
        let lease = random::lease_id();
        let (granted, kept_until) = self.grant(lease, ttl, until)?;
        let queue = keys::queue(key, &under.0);
        let place = keys::place(&queue, lease);
        let mut compare = vec![wire::was_made_at(&place, 0)];
        for (depth, rung) in under.0.iter().enumerate() {
            let outer = keys::place(&keys::queue(key, &under.0[..depth]), rung.lease);
            compare.push(wire::was_made_at(&outer, rung.created));
        }
        let body = json!({
            "compare": compare,
            "success": [wire::put(&place, info, Some(lease)), wire::get_name(&place), wire::get_oldest(&queue)],
            // A repetition finds its own place taken.
            "failure": [wire::get_name(&place), wire::get_name(&place), wire::get_oldest(&queue)],
        });
        let answer = self.ask("/v3/kv/txn", &body, until)?;
        let mut steps = wire::steps(&answer).into_iter().skip(1);
        let own = steps.next().and_then(|found| found.into_iter().next());
        let first = steps.next().and_then(|found| found.first().and_then(entry));
        let Some(own) = own else {
            self.revoke(lease, until)?;
            return Ok(None);
        };
        let before = first.filter(|first| first.lease != lease);
        Ok(Some(Place { rung: Rung { lease, created: own.created }, ttl: granted, kept_until, before }))
    }

    /// Waits until a place is the first in its queue, and keeps its lease meanwhile. `tell` hears of whoever holds the lock,
    /// at every look.
    pub fn wait_turn(
        &self,
        key: &str,
        under: &Ladder,
        place: &mut Place,
        until: Moment,
        tell: &mut dyn FnMut(Option<&Entry>),
    ) -> Result<Turn, Error> {
        if place.before.is_none() {
            return Ok(Turn::Mine);
        }
        let queue = keys::queue(key, &under.0);
        let own = keys::place(&queue, place.rung.lease);
        let before_own = json!({ "request_range": {
            "key": wire::encoded(&queue), "range_end": wire::encoded(keys::end_of(&queue)),
            "sort_target": "CREATE", "sort_order": "DESCEND", "limit": "1",
            "max_create_revision": (place.rung.created - 1).to_string(),
        } });
        let look = json!({ "success": [before_own, wire::get_oldest(&queue), wire::get_name(&own)] });
        let mut next_sign = Moment::now() + place.ttl / 3;
        loop {
            // A look that takes longer than the wait is no reason to give up what has been waited for.
            let patience = until.max(Moment::now() + Duration::from_secs(2));
            let answer = self.ask("/v3/kv/txn", &look, patience)?;
            let mut steps = wire::steps(&answer).into_iter();
            let (predecessor, first) =
                (steps.next().and_then(|mut found| found.pop()), steps.next().and_then(|mut found| found.pop()));
            if steps.next().is_none_or(|found| found.is_empty()) {
                return Ok(Turn::Lost);
            }
            let Some(predecessor) = predecessor else { return Ok(Turn::Mine) };
            let holder = first.as_ref().and_then(entry);
            if until.has_passed() {
                return Ok(Turn::TimeUp(holder));
            }
            tell(holder.as_ref());
            if next_sign.has_passed() {
                let Some(kept_until) = self.keep(place.rung.lease, place.kept_until)? else { return Ok(Turn::Lost) };
                place.kept_until = kept_until;
                next_sign = Moment::now() + place.ttl / 3;
            }
            let sleep = until.left().min(LONGEST_SLEEP).min(next_sign.left()).max(Duration::from_millis(10));
            self.sleep_until_gone(&predecessor.key, wire::revision(&answer) + 1, sleep);
        }
    }

    /// Sleeps until a key is deleted, or for `limit` at the longest. It may also return early; whoever calls looks again.
    fn sleep_until_gone(&self, key: &str, since: i64, limit: Duration) {
        let end = Moment::now() + limit;
        let member = &self.members[self.preferred.get() % self.members.len()];
        let body = json!({ "create_request": {
            "key": wire::encoded(key), "start_revision": since.to_string(), "filters": ["NOPUT"],
        } });
        let Ok(headers) = self.headers(member, limit) else { return thread::sleep(limit.min(super::PAUSE)) };
        let stream = self.client.listen(&format!("{member}/v3/watch"), &headers, body.to_string().as_bytes(), limit);
        let Ok((200, stream)) = stream else {
            self.preferred.set((self.preferred.get() + 1) % self.members.len());
            return thread::sleep(limit.min(super::PAUSE));
        };
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let Ok(message) = serde_json::from_str::<Value>(&line) else { break };
            let Some(result) = message.get("result") else { break };
            let is_over = result.get("canceled").and_then(Value::as_bool).unwrap_or(false);
            if is_over || result.get("events").and_then(Value::as_array).is_some_and(|events| !events.is_empty()) {
                return;
            }
        }
        // The stream broke off: without a pause this would be a busy loop.
        thread::sleep(end.left().min(super::PAUSE));
    }

    /// Makes a lease. Tells its length, and until when the server keeps it at least.
    fn grant(&self, lease: i64, ttl: Duration, until: Moment) -> Result<(Duration, Moment), Error> {
        let sent = Moment::now();
        let body = json!({ "ID": lease.to_string(), "TTL": ttl.as_secs().max(1).to_string() });
        match self.send("/v3/lease/grant", &body, super::PATIENCE, until) {
            Ok(reply) => {
                let granted = Duration::from_secs(wire::number(&reply.value, "TTL").try_into().unwrap_or(0));
                Ok((granted, sent + granted))
            }
            // By an attempt before, whose answer was lost.
            Err(Fault::Answer { code: code::FAILED_PRECONDITION, why }) if why.contains("already exists") => {
                Ok((ttl, sent + ttl))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// Tells the server that the holder of a lease lives. `None`: the lease is over. An error: nobody answered before `until`.
    pub fn keep(&self, lease: i64, until: Moment) -> Result<Option<Moment>, Error> {
        loop {
            let sent = Moment::now();
            let body = json!({ "ID": lease.to_string() });
            // Each attempt counts from when it was sent, so it is one at a time, and a short one.
            let slice = until.min(sent + Duration::from_secs(2));
            match self.send("/v3/lease/keepalive", &body, Duration::from_secs(2), slice) {
                Ok(reply) => {
                    let ttl = reply.value.get("result").map_or(0, |result| wire::number(result, "TTL"));
                    let ttl = Duration::from_secs(ttl.try_into().unwrap_or(0));
                    return Ok((!ttl.is_zero()).then(|| sent + ttl));
                }
                Err(Fault::Silence { .. }) if !until.has_passed() => {}
                Err(Fault::Answer { why, .. }) if why.contains("lease not found") => return Ok(None),
                Err(fault) => return Err(self.error(fault)),
            }
        }
    }

    /// Ends a lease, and with it all that hangs on it. One that is over already has ended.
    pub fn revoke(&self, lease: i64, until: Moment) -> Result<(), Error> {
        match self.send("/v3/lease/revoke", &json!({ "ID": lease.to_string() }), super::PATIENCE, until) {
            Ok(_) => Ok(()),
            Err(Fault::Answer { why, .. }) if why.contains("lease not found") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// Whether a hold, and those around it, are there still.
    pub fn holds(&self, key: &str, ladder: &Ladder, until: Moment) -> Result<bool, Error> {
        let looks = (0..ladder.0.len()).map(|depth| {
            let queue = keys::queue(key, &ladder.0[..depth]);
            wire::get_name(&keys::place(&queue, ladder.0[depth].lease))
        });
        let answer = self.ask("/v3/kv/txn", &json!({ "success": looks.collect::<Vec<_>>() }), until)?;
        let found = wire::steps(&answer);
        Ok(found
            .iter()
            .zip(&ladder.0)
            .all(|(found, rung)| found.first().is_some_and(|pair| pair.created == rung.created)))
    }

    /// All locks on documents whose names begin with `prefix`.
    pub fn locks_below(&self, prefix: &str, until: Moment) -> Result<Vec<Lock>, Error> {
        let names = json!({
            "key": wire::encoded(prefix), "range_end": wire::encoded(keys::end_of(prefix)), "keys_only": true,
        });
        // A prefix of nothing is every name, and the first of them cannot be empty.
        let names =
            if prefix.is_empty() { json!({ "key": "AA==", "range_end": "AA==", "keys_only": true }) } else { names };
        let answer = self.ask("/v3/kv/range", &names, until)?;
        let mut documents: Vec<String> = wire::pairs(&answer)
            .iter()
            .filter_map(|pair| keys::of_place(&pair.key))
            .map(|(key, _)| key.to_owned())
            .collect();
        documents.dedup();
        let lock = |key: String| Ok(Lock { queue: self.queue(&key, &[], until)?, key });
        documents.into_iter().map(lock).collect()
    }

    /// Who stands in the queue for the lock of a document, or for that within a hold.
    pub fn queue(&self, key: &str, under: &[Rung], until: Moment) -> Result<Vec<Entry>, Error> {
        let answer = self.ask("/v3/kv/txn", &json!({ "success": [wire::get_all(&keys::queue(key, under))] }), until)?;
        let mut queue: Vec<Entry> =
            wire::steps(&answer).into_iter().flatten().filter_map(|pair| entry(&pair)).collect();
        queue.sort_by_key(|entry| entry.created);
        Ok(queue)
    }

    /// How long a lease lasts if nothing is heard of its holder. `None`: it is over.
    pub fn time_left(&self, lease: i64, until: Moment) -> Result<Option<Duration>, Error> {
        let answer = self.ask("/v3/lease/timetolive", &json!({ "ID": lease.to_string() }), until)?;
        let left = wire::number(&answer, "TTL");
        Ok((left > 0).then(|| Duration::from_secs(left.unsigned_abs())))
    }
}
