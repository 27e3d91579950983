//! What must hold in every state.

use crate::{protocol::Protocol, state::*};

impl Protocol {
    /// Whether process `i` may rely on `hold`: it, or its command, or its shell, lives and the time is not over.
    pub fn relies_on(&self, s: &State, i: usize, hold: usize) -> bool {
        let p = &s.processes[i];
        let told = p.holds & (1 << hold) != 0;
        let lives = match self.role(i) {
            Role::Lease { .. } => p.owner && !(p.expired && hold == 0),
            _ => !p.ended(),
        };
        // `with` was killed: its command still works, and does not know.
        let by_command = self.role(i) == (Role::With { waits: true })
            && p.step == Step::Dead
            && (0..PROCESSES).any(|child| self.cast[child].1 == Some(i) && !s.processes[child].ended());
        told && (lives || by_command)
    }

    fn holds(&self, s: &State, i: usize) -> impl Iterator<Item = (usize, Token)> {
        let s = *s;
        (0..HOLDS)
            .filter(move |&hold| self.relies_on(&s, i, hold))
            .map(move |hold| (s.processes[i].levels[hold] as usize, Token { process: i as u8, hold: hold as u8 }))
    }

    fn kin(&self, i: usize, j: usize) -> bool {
        self.ancestors(i).any(|ancestor| ancestor == j) || self.ancestors(j).any(|ancestor| ancestor == i)
    }

    /// Two that work at once are an ancestor that holds and a descendant that works inside, or both readers.
    pub fn mutual_exclusion(&self, s: &State) -> bool {
        let writes = |i: usize| self.holds(s, i).next().is_some();
        // A reader that found no guard has created none and excludes nobody.
        let reads = |i: usize| {
            let keeps_guard = s.processes[i].guards.iter().any(|file| file.lock == Mode::Shared);
            self.role(i) == Role::Read && s.processes[i].step == Step::Work && keeps_guard
        };
        (0..PROCESSES).all(|i| {
            (0..i).all(|j| {
                let clash = writes(i) && (writes(j) || reads(j)) || reads(i) && writes(j);
                !clash || self.kin(i, j)
            })
        })
    }

    /// The directory of whoever relies on a hold names it.
    pub fn nothing_stolen(&self, s: &State) -> bool {
        (0..PROCESSES).all(|i| self.holds(s, i).all(|(level, token)| s.levels[level].dir == Dir::Held(token)))
    }

    /// When no process can take a step any more, all living ones have done what they wanted.
    pub fn nobody_stuck(&self, s: &State) -> bool {
        s.processes.iter().all(Process::ended) || (0..PROCESSES).any(|i| self.moves(s, i))
    }

    pub fn moves(&self, s: &State, i: usize) -> bool {
        self.step(s, i).is_some()
    }

    /// A process that is done has left no lock in its name.
    pub fn release_frees(&self, s: &State) -> bool {
        (0..PROCESSES).all(|i| {
            let named = |dir: Dir| matches!(dir, Dir::Held(token) if token.process as usize == i);
            s.processes[i].step != Step::Done
                || s.processes[i].expired
                || !s.levels.iter().any(|level| named(level.dir))
        })
    }
}
