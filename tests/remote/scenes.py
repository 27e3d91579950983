"""The scenes, by name, in the order in which they are played."""

import buckets
import etcd_faults
import etcd_locks
import etcd_plain
import manual

ALL = {
    "documents": etcd_plain.documents,
    "backups": etcd_plain.backups,
    "conditions": etcd_plain.conditions,
    "names and links": etcd_plain.names_and_links,
    "limits": etcd_plain.limits,
    "statuses": etcd_plain.statuses,
    "passwords": etcd_plain.passwords,
    "proxy": etcd_plain.proxy,
    "answers that are lost": etcd_faults.lost_answers,
    "one node by the page": manual.one_node,
    "full store": etcd_plain.full_store,
    "locks": etcd_locks.locks,
    # Those that spend their time waiting do so together.
    "locks at once": {
        "within locks": etcd_locks.nested,
        "by acquire": etcd_locks.acquired,
        "in order": etcd_locks.in_order,
        "by force": etcd_locks.by_force,
        "and compaction": etcd_locks.compaction,
        "of the killed": etcd_locks.killed,
        "of the stopped": etcd_locks.stopped,
    },
    "locks of the cut off": etcd_locks.cut_off,
    "bucket": buckets.documents,
    "bucket that refuses": buckets.refusals,
    "bucket in a storm": buckets.storms,
    "doctor": buckets.doctor,
    "storm": etcd_faults.storm,
    "example 1": etcd_faults.example,
}
