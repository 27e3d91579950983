//! Evaluation needs a deep stack: 10,000 levels of nesting, and recursion of filters.

use std::{cell::Cell, io};

/// How much address space evaluation gets; only what is touched costs memory. Where address space is limited
/// (`ulimit -v`) it gets less, down to what the [`RESERVE`] leaves something of.
const SIZES: [usize; 4] = [512 << 20, 256 << 20, 128 << 20, 96 << 20];

/// What has to be left for the functions that a guarded one may call: they go 10,000 levels deep by themselves.
const RESERVE: usize = 64 << 20;

pub const USED_UP: &str = "the filter recurses too deeply: its stack is used up";

/// The part of a stack that a filter may fill.
#[derive(Clone, Copy)]
struct Room {
    /// An address near the bottom of the stack.
    base: usize,
    size: usize,
}

thread_local! {
    static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
}

fn here() -> usize {
    let marker = 0u8;
    std::hint::black_box(&raw const marker) as usize
}

/// Runs `f` on a stack large enough for everything that filters may do.
///
/// Parsing, compiling, evaluating, printing and dropping of deep values all belong inside.
///
/// # Errors
///
/// The system has not even the least of address space left.
pub fn on_large_stack<T: Send>(f: impl FnOnce() -> T + Send) -> io::Result<T> {
    let mut f = Some(f);
    let mut result = Err(io::ErrorKind::OutOfMemory.into());
    for size in SIZES {
        let work = f.take().expect("it has not run, or we would have returned");
        result = attempt(size, work, &mut f);
        if f.is_none() {
            break;
        }
    }
    result
}

/// Runs `f` on a stack of this size. If there is none to be had, `f` comes back in `unused`.
fn attempt<F: FnOnce() -> T + Send, T: Send>(size: usize, f: F, unused: &mut Option<F>) -> io::Result<T> {
    let mut slot = Some(f);
    let work = &mut slot;
    let result = memlatch_os::on_stack(size, move || {
        let f = work.take().expect("it runs once");
        let outer = ROOM.replace(Some(Room { base: here(), size: size - RESERVE }));
        let result = f();
        ROOM.set(outer);
        result
    });
    *unused = slot;
    result
}

/// True if recursion has to stop. On any other stack than a large one little is allowed.
pub fn is_nearly_used_up() -> bool {
    match ROOM.get() {
        None => {
            ROOM.set(Some(Room { base: here(), size: 4 << 20 }));
            false
        }
        Some(room) => room.base.saturating_sub(here()) > room.size,
    }
}
