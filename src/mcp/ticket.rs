//! A call in progress: the client's message, and how it is cancelled.

use std::{process::Child, sync::Mutex};

/// One call.
#[derive(Default)]
pub struct Ticket {
    /// The whole message, as the client wrote it.
    pub message: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_called_off: bool,
    process: Option<Child>,
}

impl Ticket {
    pub fn of(message: String) -> Self {
        Ticket { message, state: Mutex::default() }
    }

    /// Cancels the call. What its process has done by then stays done; a kill loses nothing that was acknowledged.
    pub fn call_off(&self) {
        let mut state = self.state();
        state.is_called_off = true;
        if let Some(process) = &mut state.process {
            // It has not been waited for, so its PID cannot have been reused.
            _ = process.kill();
        }
    }

    pub fn is_called_off(&self) -> bool {
        self.state().is_called_off
    }

    /// Lends the process that does the call.
    pub fn work_by(&self, mut process: Child) {
        let mut state = self.state();
        if state.is_called_off {
            _ = process.kill();
        }
        state.process = Some(process);
    }

    /// Takes the process back, to be waited for.
    pub fn done(&self) -> Option<Child> {
        self.state().process.take()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it looks at a call")
    }
}
