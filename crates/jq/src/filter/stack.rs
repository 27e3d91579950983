//! Evaluation needs a deep stack: 10,000 levels of nesting, and recursion of filters.

use std::{cell::Cell, io};

/// How much address space evaluation gets; only what is touched costs memory.
const SIZE: usize = 512 << 20;

/// What has to be left for the functions that a guarded one may call.
const RESERVE: usize = 64 << 20;

pub const USED_UP: &str = "the filter recurses too deeply: its stack of 512 MiB is used up";

thread_local! {
    /// An address near the bottom of this thread's large stack.
    static BASE: Cell<usize> = const { Cell::new(0) };
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
/// The system may have no address space left.
pub fn on_large_stack<T: Send>(f: impl FnOnce() -> T + Send) -> io::Result<T> {
    memlatch_os::on_stack(SIZE, || {
        let outer = BASE.replace(here());
        let result = f();
        BASE.set(outer);
        result
    })
}

/// True if recursion has to stop. On any other stack than a large one little is allowed.
pub fn is_nearly_used_up() -> bool {
    match BASE.get() {
        0 => {
            BASE.set(here() + SIZE - (4 << 20) - RESERVE);
            false
        }
        base => base.saturating_sub(here()) > SIZE - RESERVE,
    }
}
