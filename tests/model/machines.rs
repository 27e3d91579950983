//! Writes of two machines to one document on etcd, checked: every order of what they send and what is answered, with requests
//! that arrive late or twice, answers that are lost, and leases that end at any moment.
//!
//! One server step is one transaction, as etcd does them. What the machines do next is what `src/remote/session.rs` and
//! `crates/remote/src/etcd/documents.rs` do.

use stateright::{Checker, Model, Property};

const MACHINES: usize = 2;
/// So often a machine sends a write again, having heard nothing.
const REPEATS: u8 = 1;

/// What keeps the promises. Each can be left out, to see what it is for.
#[derive(Clone, Copy, Debug)]
struct Safeguards {
    /// A write names the hold that it is made under, and is refused if that is not the first in the queue.
    fence: bool,
    /// A write under no hold is refused while anybody is in the queue.
    queue_is_respected: bool,
    /// A write names the revision that it replaces.
    expectation: bool,
    /// Before a machine begins anew it looks for its write on the list.
    list_of_writes: bool,
    /// A machine that has heard nothing sends the same write again, and not one over what it finds then.
    same_again: bool,
}

const ALL: Safeguards =
    Safeguards { fence: true, queue_is_respected: true, expectation: true, list_of_writes: true, same_again: true };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// `memory-update`: one write, without a lock at first.
    Update,
    /// `file-lock with`: two writes under one hold, of a command that may be stopped at any moment.
    With,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    LineUp,
    Wait,
    Read,
    Send,
    Await,
    Done,
    /// It has told that a hold is lost and nothing has changed.
    Refused,
    /// It has told that the outcome is not known.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Machine {
    role: Role,
    phase: Phase,
    /// The write that it is at, counted from 0.
    write: u8,
    /// When it lined up, by the count of the engine.
    hold: Option<u8>,
    /// How many writes the document had when the lock was taken.
    since: u8,
    /// How many writes the document had when it was read.
    seen: u8,
    attempt: u8,
    repeats: u8,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Done,
    Changed { is_on_list: bool, hold_is_lost: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    machine: usize,
    id: u8,
    attempt: u8,
    seen: u8,
    hold: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// The writes in the order in which they were made: the document, and the list beside it.
    document: Vec<u8>,
    queue: Vec<(usize, u8)>,
    lined_up: u8,
    under_way: Vec<Request>,
    machines: [Machine; MACHINES],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Step(usize),
    /// A request arrives, and its answer too unless it is lost.
    Arrive {
        request: usize,
        is_heard: bool,
    },
    /// The machine stops waiting for an answer and sends the request again, or gives up.
    HearNothing(usize),
    /// Nothing was heard of a holder for too long.
    Expire(usize),
}

struct Engine {
    roles: [Role; MACHINES],
    safeguards: Safeguards,
}

fn id(machine: usize, write: u8) -> u8 {
    machine as u8 * 2 + write
}

impl Engine {
    /// One step of a machine by itself.
    fn step(&self, world: &mut World, i: usize) {
        let place = world.queue.iter().position(|(machine, _)| *machine == i);
        let machine = &mut world.machines[i];
        let own = id(i, machine.write);
        match machine.phase {
            Phase::LineUp => {
                machine.hold = Some(world.lined_up);
                machine.phase = Phase::Wait;
                world.queue.push((i, world.lined_up));
                world.lined_up += 1;
            }
            Phase::Wait => {
                machine.since = world.document.len() as u8;
                machine.phase = match place {
                    Some(0) => Phase::Read,
                    Some(_) => Phase::Wait,
                    // The place went with its lease.
                    None => Phase::LineUp,
                };
            }
            Phase::Read => {
                let has_landed = self.safeguards.list_of_writes && world.document.contains(&own);
                machine.seen = world.document.len() as u8;
                machine.phase = Phase::Send;
                if has_landed {
                    self.finish(world, i);
                } else if machine.role == Role::Update && machine.hold.is_none() && !world.queue.is_empty() {
                    machine.phase = Phase::LineUp;
                }
            }
            Phase::Send => {
                machine.attempt += 1;
                machine.answer = None;
                machine.phase = Phase::Await;
                let request =
                    Request { machine: i, id: own, attempt: machine.attempt, seen: machine.seen, hold: machine.hold };
                world.under_way.push(request);
                world.under_way.sort();
            }
            Phase::Await => match machine.answer.take() {
                Some(Answer::Done) => self.finish(world, i),
                Some(Answer::Changed { is_on_list: true, .. }) if self.safeguards.list_of_writes => {
                    self.finish(world, i)
                }
                Some(Answer::Changed { hold_is_lost: true, .. }) if machine.role == Role::With => {
                    machine.phase = Phase::Refused;
                }
                Some(Answer::Changed { hold_is_lost, .. }) => {
                    let lines_up = machine.hold.is_none() || hold_is_lost;
                    machine.phase = if lines_up { Phase::LineUp } else { Phase::Read };
                }
                None => {}
            },
            Phase::Done | Phase::Refused | Phase::Unknown => {}
        }
    }

    /// A write is known to be made.
    fn finish(&self, world: &mut World, i: usize) {
        let machine = &mut world.machines[i];
        machine.write += 1;
        machine.answer = None;
        let wanted = if machine.role == Role::With { 2 } else { 1 };
        machine.phase = if machine.write < wanted { Phase::Read } else { Phase::Done };
        if machine.phase == Phase::Done {
            world.queue.retain(|(machine, _)| *machine != i);
        }
    }

    /// One transaction.
    fn arrive(&self, world: &mut World, request: &Request, is_heard: bool) {
        let is_first = world.queue.first() == request.hold.map(|hold| (request.machine, hold)).as_ref();
        let may_write = match request.hold {
            Some(_) => is_first || !self.safeguards.fence,
            None => world.queue.is_empty() || !self.safeguards.queue_is_respected,
        };
        let is_unchanged = world.document.len() as u8 == request.seen || !self.safeguards.expectation;
        let answer = if may_write && is_unchanged {
            world.document.push(request.id);
            if self.roles[request.machine] == Role::Update {
                world.queue.retain(|(machine, _)| *machine != request.machine);
            }
            Answer::Done
        } else {
            let hold_is_lost = request.hold.is_some_and(|hold| !world.queue.contains(&(request.machine, hold)));
            Answer::Changed { is_on_list: world.document.contains(&request.id), hold_is_lost }
        };
        let machine = &mut world.machines[request.machine];
        if is_heard && machine.phase == Phase::Await && machine.attempt == request.attempt {
            machine.answer = Some(answer);
        }
    }
}

impl Model for Engine {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let machine = |role| Machine {
            role,
            phase: if role == Role::With { Phase::LineUp } else { Phase::Read },
            write: 0,
            hold: None,
            since: 0,
            seen: 0,
            attempt: 0,
            repeats: 0,
            answer: None,
        };
        let machines = self.roles.map(machine);
        vec![World { document: Vec::new(), queue: Vec::new(), lined_up: 0, under_way: Vec::new(), machines }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (i, machine) in world.machines.iter().enumerate() {
            let waits = machine.phase == Phase::Await && machine.answer.is_none()
                || matches!(machine.phase, Phase::Done | Phase::Refused | Phase::Unknown);
            // Nobody lines up for ever in the model.
            if !waits && (machine.phase != Phase::LineUp || world.lined_up < 4) {
                actions.push(Action::Step(i));
            }
            if machine.phase == Phase::Await {
                actions.push(Action::HearNothing(i));
            }
            if world.queue.iter().any(|(holder, _)| *holder == i) {
                actions.push(Action::Expire(i));
            }
        }
        for request in 0..world.under_way.len() {
            actions.extend([true, false].map(|is_heard| Action::Arrive { request, is_heard }));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Step(i) => self.step(&mut next, i),
            Action::Arrive { request, is_heard } => {
                let request = next.under_way.remove(request);
                self.arrive(&mut next, &request, is_heard);
            }
            Action::HearNothing(i) => {
                let machine = &mut next.machines[i];
                machine.answer = None;
                machine.repeats += 1;
                machine.phase = match machine.repeats > REPEATS {
                    true => Phase::Unknown,
                    false if self.safeguards.same_again => Phase::Send,
                    false => Phase::Read,
                };
            }
            Action::Expire(i) => next.queue.retain(|(machine, _)| *machine != i),
        }
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| {
                world.document.iter().enumerate().all(|(at, id)| !world.document[..at].contains(id))
            }),
            Property::always(KEPT, |_, world: &World| {
                world
                    .machines
                    .iter()
                    .enumerate()
                    .all(|(i, machine)| (0..machine.write).all(|write| world.document.contains(&id(i, write))))
            }),
            Property::always(NOTHING, |_, world: &World| {
                let refused = |(i, machine): (usize, &Machine)| {
                    machine.phase != Phase::Refused || !world.document.contains(&id(i, machine.write))
                };
                world.machines.iter().enumerate().all(refused)
            }),
            Property::always(ALONE, |engine: &Engine, world: &World| {
                (0..MACHINES).filter(|i| engine.roles[*i] == Role::With).all(|i| {
                    let at = |write| world.document.iter().position(|found| *found == id(i, write));
                    let since = usize::from(world.machines[i].since);
                    at(0).is_none_or(|first| first == since) && at(1).is_none_or(|second| second == since + 1)
                })
            }),
        ]
    }
}

const ONCE: &str = "no write is made twice";
const KEPT: &str = "what is acknowledged is there";
const NOTHING: &str = "what is refused is not there, and never will be";
const ALONE: &str = "nobody else writes from the beginning of a hold to its last write";

#[rustfmt::skip]
const CASTS: [[Role; MACHINES]; 3] = [
    [Role::Update, Role::Update],
    [Role::With, Role::Update],
    [Role::With, Role::With],
];

#[test]
fn no_order_of_requests_and_answers_breaks_a_promise() {
    for roles in CASTS {
        let checker = Engine { roles, safeguards: ALL }.checker().threads(2).spawn_bfs().join();
        println!("{:>9} states: {roles:?}", checker.unique_state_count());
        checker.assert_properties();
    }
}

#[test]
fn without_one_of_its_safeguards_a_promise_breaks() {
    let without = [
        ("fence", Safeguards { fence: false, ..ALL }, ALONE),
        ("queue_is_respected", Safeguards { queue_is_respected: false, ..ALL }, ALONE),
        ("expectation", Safeguards { expectation: false, ..ALL }, ONCE),
        ("list_of_writes", Safeguards { list_of_writes: false, ..ALL }, ONCE),
        ("list_of_writes, same_again", Safeguards { list_of_writes: false, same_again: false, ..ALL }, ONCE),
    ];
    for (name, safeguards, promise) in without {
        let broken = CASTS.iter().any(|roles| {
            let checker = Engine { roles: *roles, safeguards }.checker().threads(2).spawn_bfs().join();
            checker.discovery(promise).is_some()
        });
        assert!(broken, "without {name} '{promise}' still holds");
    }
}

/// The table of safeguards in `docs/model.md`, against the code.
#[test]
fn the_safeguards_are_those_of_the_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file of the project");
    let files = ["crates/remote/src/engine.rs", "crates/remote/src/etcd/documents.rs", "src/remote/session.rs"];
    let code: String = files.iter().map(|path| read(path)).collect();
    let page = read("docs/model.md");
    let table = page.split("\n## ").nth(1).expect("the part on machines");
    let cells = table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(2));
    let functions: Vec<&str> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|name| name.contains("::")).collect();
    assert!(functions.len() >= 4, "{functions:?}");
    for function in functions {
        let name = function.rsplit("::").next().expect("a last part");
        assert!(code.contains(&format!("fn {name}(")), "the code has no '{function}'");
    }
}
