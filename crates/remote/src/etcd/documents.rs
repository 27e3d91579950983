//! Documents on etcd: read in one request, replaced in the next.

use super::{Cluster, Fault, PATIENCE, code, keys, wire};
use crate::{
    Moment,
    engine::{
        Change, Engine, Entry, Error, KEPT_WRITES, Ladder, Landed, Replaced, Seen, Standing, Version, Wanted, judge,
        with_write,
    },
};
use serde_json::{Value, json};

/// What a request may hold by default (`--max-request-bytes`), less what is not content.
const ONE_STEP: usize = 1_400_000;

/// A look at a document, and what it saw.
struct Look<'a> {
    key: &'a str,
    under: &'a Ladder,
    wanted: Wanted,
}

impl Look<'_> {
    fn steps(&self) -> Vec<Value> {
        let rungs = (0..self.under.0.len()).map(|depth| wire::get_name(&self.rung(depth)));
        let backups = (self.wanted == Wanted::Backups).then(|| wire::get_all(&keys::backups(self.key)));
        [
            wire::get(self.key),
            wire::get(&keys::writes(self.key)),
            wire::get_oldest(&keys::queue(self.key, &self.under.0)),
        ]
        .into_iter()
        .chain(rungs)
        .chain(backups)
        .collect()
    }

    /// The place that the hold at this depth has in its queue.
    fn rung(&self, depth: usize) -> String {
        keys::place(&keys::queue(self.key, &self.under.0[..depth]), self.under.0[depth].lease)
    }

    /// What the steps saw, and whether all the holds are still there.
    fn seen(&self, answer: &Value) -> (Seen, bool) {
        let mut steps = wire::steps(answer).into_iter();
        let mut one = || steps.next().unwrap_or_default();
        let (document, writes, first) = (one().pop(), one().pop(), one().pop());
        let holds = self.under.0.iter().all(|rung| one().first().is_some_and(|found| found.created == rung.created));
        let mut backups: Vec<(usize, Vec<u8>)> =
            one().into_iter().filter_map(|pair| Some((keys::number_of(self.key, &pair.key)?, pair.value))).collect();
        backups.sort_by_key(|(number, _)| *number);
        let known = writes.as_ref().map(|pair| ids(&pair.value)).unwrap_or_default();
        let version = Version::Etcd {
            document: document.as_ref().map_or(0, |pair| pair.modified),
            writes: writes.as_ref().map_or(0, |pair| pair.modified),
            known,
        };
        let seen = Seen {
            document: document.map(|pair| pair.value),
            backups: backups.into_iter().map(|(_, content)| content).collect(),
            first: first.as_ref().and_then(entry),
            version,
        };
        (seen, holds)
    }
}

/// Who stands at a place in a queue.
pub(super) fn entry(pair: &wire::Pair) -> Option<Entry> {
    let lease = i64::from_str_radix(pair.key.rsplit('/').next()?, 16).ok()?;
    Some(Entry { lease, created: pair.created, info: pair.value.clone() })
}

fn ids(list: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(list).lines().take(KEPT_WRITES).map(str::to_owned).collect()
}

impl Engine for Cluster {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, key: &str, wanted: Wanted, under: &Ladder, until: Moment) -> Result<Seen, Error> {
        let look = Look { key, under, wanted };
        let answer = self.ask("/v3/kv/txn", &json!({ "success": look.steps() }), until)?;
        Ok(look.seen(&answer).0)
    }

    fn replace(
        &self,
        key: &str,
        seen: &Seen,
        change: &Change<'_>,
        standing: &Standing,
        until: Moment,
    ) -> Result<Replaced, Error> {
        let Version::Etcd { document, writes, known } = &seen.version else {
            unreachable!("what was read from etcd has its version")
        };
        let wanted = if change.backups.is_empty() { Wanted::Document } else { Wanted::Backups };
        let look = Look { key, under: &standing.under, wanted };
        let list = with_write(change.id, known).join("\n");
        let compare: Vec<Value> = [wire::is_at(key, *document), wire::is_at(&keys::writes(key), *writes)]
            .into_iter()
            .chain(fence(key, standing))
            .collect();
        let backups = change
            .backups
            .iter()
            .zip(1..)
            .map(|(content, number)| wire::put(&keys::backup(key, number), content, None));
        let mut backups: Vec<Value> = backups.collect();
        if change.document.len() + change.backups.iter().map(|content| content.len()).sum::<usize>() > ONE_STEP {
            // Each by itself, the highest number first, so that a crash leaves one twice and loses none. Where one did, the
            // old content is in the row already.
            let is_in_row = seen.backups.first().map(Vec::as_slice) == seen.document.as_deref();
            for step in backups.drain(..).rev().filter(|_| !is_in_row) {
                let body = json!({ "compare": compare, "success": [step], "failure": look.steps() });
                let answer = self.send("/v3/kv/txn", &body, PATIENCE, until);
                let answer = answer.map_err(|fault| {
                    self.too_large(change.document.len(), &fault).unwrap_or_else(|| self.error(fault))
                })?;
                if !wire::has_succeeded(&answer.value) {
                    let (now, holds) = look.seen(&answer.value);
                    return Ok(if holds { Replaced::Changed { now, in_doubt: false } } else { Replaced::FenceLost });
                }
            }
        }
        let mut steps =
            vec![wire::put(key, change.document, None), wire::put(&keys::writes(key), list.as_bytes(), None)];
        steps.extend(backups);
        if let (true, Some(depth)) = (standing.ends_last, standing.under.0.len().checked_sub(1)) {
            steps.push(wire::delete(&look.rung(depth)));
        }
        let body = json!({ "compare": compare, "success": steps, "failure": look.steps() });
        let reply = match self.send("/v3/kv/txn", &body, PATIENCE, until) {
            Ok(reply) => reply,
            Err(Fault::Silence { sent: true, why }) => {
                return Err(Error::Unknown { engine: self.name.clone(), id: change.id.to_owned(), why });
            }
            Err(fault) => {
                return Err(self.too_large(change.document.len(), &fault).unwrap_or_else(|| self.error(fault)));
            }
        };
        if wire::has_succeeded(&reply.value) {
            return Ok(Replaced::Done);
        }
        let (now, holds) = look.seen(&reply.value);
        // An earlier attempt may have done it, and this one then found the document changed, and the hold of this write ended.
        if now.version.known().iter().any(|known| known == change.id) {
            return Ok(Replaced::Done);
        }
        let is_decided =
            !matches!(&now.version, Version::Etcd { document: d, writes: w, .. } if d == document && w == writes);
        match judge(change.id, known, now.version.known()) {
            Landed::Forgotten if reply.is_repeated && is_decided => Err(Error::Unknown {
                engine: self.name.clone(),
                id: change.id.to_owned(),
                why: "others have written so often since that it is not on the list of writes any more".to_owned(),
            }),
            _ if holds => Ok(Replaced::Changed { now, in_doubt: reply.is_repeated && !is_decided }),
            _ => Ok(Replaced::FenceLost),
        }
    }

    fn remove(&self, key: &str, until: Moment) -> Result<(), Error> {
        let steps = [wire::delete(key), wire::delete(&keys::writes(key))];
        self.ask("/v3/kv/txn", &json!({ "success": steps }), until).map(drop)
    }
}

impl Cluster {
    /// Whether a fault is that a request was too large.
    fn too_large(&self, size: usize, fault: &Fault) -> Option<Error> {
        let Fault::Answer { code: code::INVALID_ARGUMENT | code::RESOURCE_EXHAUSTED, why } = fault else { return None };
        let limit = "a request holds 1.5 MiB, unless its administrator has said otherwise (--max-request-bytes)";
        (why.contains("too large") || why.contains("larger than max")).then(|| Error::TooLarge {
            engine: self.name.clone(),
            size,
            limit: limit.to_owned(),
        })
    }
}

/// What a write has to find so that it is nobody's business but the writer's: each hold that it works under is there and
/// is the first in its queue, and nobody waits for the lock that it does not hold.
fn fence(key: &str, standing: &Standing) -> Vec<Value> {
    let rungs = &standing.under.0;
    let mut compare = Vec::new();
    for (depth, rung) in rungs.iter().enumerate() {
        let queue = keys::queue(key, &rungs[..depth]);
        compare.push(wire::was_made_at(&keys::place(&queue, rung.lease), rung.created));
        compare.push(wire::has_none_before(&queue, rung.created));
    }
    if !standing.ends_last {
        compare.push(wire::is_empty(&keys::queue(key, rungs)));
    }
    compare
}
