//! The lock protocol, checked: every order of the system calls of three processes, with SIGKILL between any two.
//!
//! [`state`] is what there is, [`protocol`] what a process does next, [`promises`] what must hold in every state; `docs/model.md` has the table that maps its steps to the code. Each test prints how many
//! states it saw (`cargo test --test model -- --nocapture`). With `MEMLATCH_LONG=1` the larger casts are searched too.

use memlatch_model::protocol::{Protocol, Safeguards};
use memlatch_model::state::{Action, Cast, Role, State, Step};
use stateright::{Checker, HasDiscoveries, Model};
use std::collections::{BTreeSet, HashMap};

const UPDATE: Role = Role::Update;
const WITH: Role = Role::With { waits: true };
/// A `with` whose command leaves a process behind.
const WITH_DAEMON: Role = Role::With { waits: false };
const LEASE: Role = Role::Lease { waits: false, ttl: false, twice: false };
const LEASE_WAITS: Role = Role::Lease { waits: true, ttl: false, twice: false };
const LEASE_TTL: Role = Role::Lease { waits: false, ttl: true, twice: false };
const TWICE: Role = Role::Lease { waits: false, ttl: true, twice: true };
const TWICE_WAITS: Role = Role::Lease { waits: true, ttl: true, twice: true };
const RELEASE: Role = Role::Release;
const CLEANUP: Role = Role::Cleanup;
const READ: Role = Role::Read;

const ALONE: Option<usize> = None;
const CHILD: Option<usize> = Some(0);

const KILLS: bool = true;
const NO_KILLS: bool = false;

const EXCLUSION: &str = "mutual exclusion";
const STOLEN: &str = "no lock stolen from a living holder";
const STUCK: &str = "no lock lost for ever";
const UNGUARDED: &str = "lock directories change under their guard only";

#[rustfmt::skip]
const CASTS: [(Cast, bool); 22] = [
    ([(UPDATE, ALONE), (UPDATE, ALONE), (UPDATE, ALONE)], KILLS),
    ([(UPDATE, ALONE), (UPDATE, ALONE), (CLEANUP, ALONE)], KILLS),
    ([(UPDATE, ALONE), (CLEANUP, ALONE), (CLEANUP, ALONE)], KILLS),
    ([(WITH, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(WITH, ALONE), (UPDATE, CHILD), (UPDATE, CHILD)], KILLS),
    ([(WITH, ALONE), (UPDATE, CHILD), (LEASE, ALONE)], KILLS),
    ([(WITH, ALONE), (LEASE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(WITH, ALONE), (UPDATE, CHILD), (CLEANUP, ALONE)], KILLS),
    ([(WITH, ALONE), (READ, CHILD), (UPDATE, ALONE)], KILLS),
    ([(WITH, ALONE), (READ, ALONE), (CLEANUP, ALONE)], KILLS),
    ([(WITH_DAEMON, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], NO_KILLS),
    ([(WITH_DAEMON, ALONE), (UPDATE, CHILD), (CLEANUP, ALONE)], NO_KILLS),
    ([(LEASE, ALONE), (UPDATE, ALONE), (CLEANUP, ALONE)], KILLS),
    ([(LEASE, ALONE), (RELEASE, ALONE), (UPDATE, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (RELEASE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(LEASE_WAITS, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (UPDATE, CHILD), (LEASE, ALONE)], NO_KILLS),
    ([(LEASE, ALONE), (LEASE, CHILD), (UPDATE, ALONE)], NO_KILLS),
    ([(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, CHILD)], NO_KILLS),
    ([(LEASE_TTL, ALONE), (READ, CHILD), (WITH, ALONE)], NO_KILLS),
    ([(LEASE_TTL, ALONE), (LEASE, ALONE), (CLEANUP, ALONE)], NO_KILLS),
];

#[rustfmt::skip]
const LARGE_CASTS: [(Cast, bool); 12] = [
    ([(LEASE_TTL, ALONE), (LEASE, ALONE), (CLEANUP, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (LEASE, ALONE), (LEASE, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (UPDATE, CHILD), (LEASE, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (UPDATE, CHILD), (CLEANUP, ALONE)], KILLS),
    ([(LEASE, ALONE), (LEASE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, CHILD)], KILLS),
    ([(LEASE_TTL, ALONE), (READ, CHILD), (WITH, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (LEASE, CHILD), (READ, ALONE)], KILLS),
    ([(LEASE_TTL, ALONE), (UPDATE, CHILD), (READ, ALONE)], KILLS),
    ([(TWICE, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(TWICE_WAITS, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS),
    ([(TWICE_WAITS, ALONE), (UPDATE, CHILD), (CLEANUP, ALONE)], KILLS),
];

#[test]
fn no_order_of_calls_and_kills_breaks_a_promise() {
    let long = std::env::var_os("MEMLATCH_LONG").is_some();
    let large = if long { &LARGE_CASTS[..] } else { &[] };
    let mut total = 0;
    for &(cast, kills) in CASTS.iter().chain(large) {
        let checker = model(Safeguards::ALL, cast, kills).checker().threads(2).spawn_bfs().join();
        println!("{:>9} states: {}", checker.unique_state_count(), told(&cast, kills));
        if let Some((promise, path)) = checker.discoveries().into_iter().next() {
            panic!("{promise}:\n{}", trace(&cast, path.into_actions()));
        }
        total += checker.unique_state_count();
    }
    println!("{total:>9} states in all");
}

/// If this holds and no process is stuck, every process that is not killed gets the lock in the end, whatever the order.
#[test]
fn no_sequence_of_steps_is_circular() {
    for (cast, _) in CASTS {
        let protocol = model(Safeguards::ALL, cast, NO_KILLS);
        let states = acyclic(&protocol);
        println!("{states:>9} states: {}", told(&cast, NO_KILLS));
    }
}

/// The table of steps in `docs/model.md`, against the model and the code.
#[test]
fn the_steps_are_those_of_the_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file of the project");
    let names = ["contend", "contend/clearing", "ending", "folder", "guard", "holder", "lease", "census", "lib"]
        .map(|name| format!("crates/lock/src/{name}.rs"));
    let code: String = names.iter().map(|name| read(name)).chain([read("crates/os/src/lib.rs")]).collect();
    let page = read("docs/model.md");
    let table = page.split("\n## ").next().expect("what stands before the first heading");
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut steps = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').collect();
        steps.extend(words(cells[1]));
        for function in words(cells[2]) {
            let name = function.rsplit("::").next().expect("a last part");
            assert!(code.contains(&format!("fn {name}(")), "the code has no '{function}'");
        }
    }
    let model: BTreeSet<_> = Step::CALLS.iter().map(|step| format!("{step:?}")).collect();
    assert_eq!(steps, model);
}

/// `with` is killed after it has removed `info` and before it has freed the guard, and a process that its command left
/// behind keeps the guard's descriptor: all wait until that process ends. `docs/model.md` says so.
#[test]
fn only_a_daemon_of_a_killed_with_can_keep_a_lock_without_a_holder() {
    let cast = [(WITH_DAEMON, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)];
    let checker = model(Safeguards::ALL, cast, KILLS).checker().threads(2).spawn_bfs().join();
    let found: Vec<_> = checker.discoveries().into_keys().collect();
    assert_eq!(found, [STUCK]);
    let actions = checker.assert_any_discovery(STUCK).into_actions();
    let killed = actions.iter().position(|action| *action == Action::Kill(0));
    assert!(actions[..killed.expect("it was killed")].contains(&Action::Step(0, Step::RemoveInfo)));
}

macro_rules! bites {
    ($test:ident, without $safeguard:ident, $cast:expr, $kills:expr, breaks $promise:expr) => {
        #[test]
        fn $test() {
            let safeguards = Safeguards { $safeguard: false, ..Safeguards::ALL };
            let cast: Cast = $cast;
            let checker = model(safeguards, cast, $kills)
                .checker()
                .threads(2)
                .finish_when(HasDiscoveries::AllOf(BTreeSet::from([$promise])))
                .spawn_bfs()
                .join();
            let seen = checker.unique_state_count();
            let Some(path) = checker.discovery($promise) else {
                panic!("without {}, nothing is lost in {seen} states", stringify!($safeguard));
            };
            let actions = path.into_actions();
            println!(
                "without {}, after {seen} states: {} is broken in {} steps by {}\n{}",
                stringify!($safeguard),
                $promise,
                actions.len(),
                told(&cast, $kills),
                trace(&cast, actions),
            );
        }
    };
}

bites!(a_guard_may_have_been_unlinked, without is_linked,
    [(UPDATE, ALONE), (UPDATE, ALONE), (CLEANUP, ALONE)], NO_KILLS, breaks EXCLUSION);
bites!(cleanup_may_have_opened_a_guard_that_was_replaced, without prune_is_linked,
    [(UPDATE, ALONE), (CLEANUP, ALONE), (CLEANUP, ALONE)], KILLS, breaks UNGUARDED);
bites!(cleanup_may_meet_a_guard_in_use, without prune_try_lock,
    [(UPDATE, ALONE), (UPDATE, ALONE), (CLEANUP, ALONE)], NO_KILLS, breaks EXCLUSION);
bites!(a_pid_may_be_reused, without started,
    [(LEASE, ALONE), (UPDATE, ALONE), (CLEANUP, ALONE)], KILLS, breaks STUCK);
bites!(two_may_find_the_same_stale_lock, without guard_around_takeover,
    [(LEASE, ALONE), (UPDATE, ALONE), (UPDATE, ALONE)], KILLS, breaks STOLEN);
bites!(a_lease_may_be_taken_over_during_its_release, without guard_around_release,
    [(LEASE_TTL, ALONE), (UPDATE, ALONE), (UPDATE, ALONE)], NO_KILLS, breaks STOLEN);
bites!(a_lease_may_be_taken_over_before_its_release, without release_compares_token,
    [(LEASE_TTL, ALONE), (LEASE, ALONE), (UPDATE, ALONE)], NO_KILLS, breaks STOLEN);
bites!(a_stranger_may_ask_for_a_release, without descends_from,
    [(LEASE, ALONE), (RELEASE, ALONE), (UPDATE, ALONE)], NO_KILLS, breaks STOLEN);
bites!(somebody_may_be_at_work_inside_a_lock_that_ends, without claim_inside,
    [(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], NO_KILLS, breaks EXCLUSION);
bites!(a_directory_may_not_be_empty, without not_empty,
    [(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], NO_KILLS, breaks EXCLUSION);
bites!(the_lock_around_may_have_ended, without is_within,
    [(LEASE, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], NO_KILLS, breaks EXCLUSION);
bites!(with_may_be_killed_before_its_command, without inherit,
    [(WITH, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], KILLS, breaks EXCLUSION);
bites!(a_lock_may_end_before_one_inside_it, without inside_deeper,
    [(TWICE_WAITS, ALONE), (UPDATE, CHILD), (UPDATE, ALONE)], NO_KILLS, breaks STUCK);

fn model(safeguards: Safeguards, cast: Cast, kills: bool) -> Protocol {
    Protocol { cast, safeguards, kills }
}

/// Counts the reachable states, and panics if one of them can be reached from itself.
fn acyclic(protocol: &Protocol) -> usize {
    let mut is_open: HashMap<State, bool> = HashMap::new();
    let mut path: Vec<(State, Vec<State>)> = Vec::new();
    for state in protocol.init_states() {
        is_open.insert(state, true);
        path.push((state, protocol.next_states(&state)));
    }
    while let Some((state, next)) = path.last_mut() {
        let Some(next) = next.pop() else {
            is_open.insert(*state, false);
            path.pop();
            continue;
        };
        match is_open.get(&next) {
            Some(true) => panic!("a circle through {next:?}"),
            Some(false) => {}
            None => {
                is_open.insert(next, true);
                path.push((next, protocol.next_states(&next)));
            }
        }
    }
    is_open.len()
}

fn told(cast: &Cast, kills: bool) -> String {
    let names = cast.map(|(role, parent)| {
        let place = if parent.is_some() { " (child of the first)" } else { "" };
        format!("{role:?}{place}")
    });
    format!("{}{}", names.join(", "), if kills { ", kills" } else { "" })
}

/// One line for each run of steps of one process.
fn trace(cast: &Cast, actions: Vec<Action>) -> String {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for action in actions {
        let (who, what) = match action {
            Action::Step(i, step) => (i, format!("{step:?}")),
            Action::Spawn(i) => (i, "is started".to_owned()),
            Action::Kill(i) => (i, "SIGKILL".to_owned()),
            Action::KillShell(i) => (i, "SIGKILL of the shell".to_owned()),
            Action::Expire(i) => (i, "the lease expires".to_owned()),
            Action::ReusePid(i) => (i, "its PID is reused".to_owned()),
        };
        match lines.last_mut() {
            Some((last, line)) if *last == who => *line += &format!(", {what}"),
            _ => lines.push((who, format!("  {who} {:?}: {what}", cast[who].0))),
        }
    }
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}
