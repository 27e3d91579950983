//! Running code on a larger stack than the process has.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// Runs `work` on a stack of `size` bytes. Only pages that are touched use memory.
pub fn on_stack<T: Send>(size: usize, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let mut work = Some(work);
    let mut outcome = None;
    imp::run(size, &mut || {
        // A panic must not unwind across the switch of stacks.
        outcome = work.take().map(|work| catch_unwind(AssertUnwindSafe(work)));
    })?;
    match outcome.expect("it has run") {
        Ok(result) => Ok(result),
        Err(panic) => resume_unwind(panic),
    }
}

/// Switches stacks by makecontext(3). Starting and joining a thread instead would cost more than everything else that a small
/// update does.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod imp {
    use std::{cell::Cell, io, mem::MaybeUninit, ptr};

    const GUARD: usize = 1 << 16;

    /// The function to run, behind a thin pointer.
    struct Work<'a>(&'a mut dyn FnMut());

    thread_local! {
        static NEXT: Cell<*mut ()> = const { Cell::new(ptr::null_mut()) };
    }

    pub fn run(size: usize, work: &mut (dyn FnMut() + Send)) -> io::Result<()> {
        let stack = Stack::new(size)?;
        let mut work = Work(work);
        NEXT.set((&raw mut work).cast());
        let mut here = MaybeUninit::<libc::ucontext_t>::uninit();
        let mut there = MaybeUninit::<libc::ucontext_t>::uninit();
        // SAFETY: `getcontext` fills `there` before the fields are set; the stack and both contexts outlive the switch,
        // which comes back through `uc_link` when `enter` returns, and `enter` does not unwind.
        unsafe {
            if libc::getcontext(there.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let context = there.as_mut_ptr();
            (*context).uc_stack.ss_sp = stack.lowest.cast::<u8>().add(GUARD).cast();
            (*context).uc_stack.ss_size = stack.length - GUARD;
            (*context).uc_link = here.as_mut_ptr();
            libc::makecontext(context, enter, 0);
            if libc::swapcontext(here.as_mut_ptr(), context) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    extern "C" fn enter() {
        let work: *mut Work<'_> = NEXT.replace(ptr::null_mut()).cast();
        // SAFETY: `run` has just set the pointer, and waits on its own stack until this function returns.
        unsafe { ((*work).0)() }
    }

    /// Address space with an inaccessible guard area below it.
    struct Stack {
        lowest: *mut libc::c_void,
        length: usize,
    }

    impl Stack {
        fn new(size: usize) -> io::Result<Self> {
            let length = size + GUARD;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
            // SAFETY: a new mapping at an address of the kernel's choice affects no other memory.
            let lowest = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
            if lowest == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let stack = Stack { lowest, length };
            // SAFETY: the range lies within the mapping.
            let opened = unsafe {
                libc::mprotect(lowest.cast::<u8>().add(GUARD).cast(), size, libc::PROT_READ | libc::PROT_WRITE)
            };
            if opened == 0 { Ok(stack) } else { Err(io::Error::last_os_error()) }
        }
    }

    impl Drop for Stack {
        fn drop(&mut self) {
            // SAFETY: nothing runs or refers to this stack any more. A failure would only leave address space in use.
            unsafe { libc::munmap(self.lowest, self.length) };
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod imp {
    use std::{io, thread};

    pub fn run(size: usize, work: &mut (dyn FnMut() + Send)) -> io::Result<()> {
        thread::scope(|scope| {
            let running = thread::Builder::new().stack_size(size).spawn_scoped(scope, work)?;
            running.join().map_err(|_| io::Error::other("the thread of the large stack ended"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::on_stack;

    fn depth(levels: u32) -> u32 {
        let filler = std::hint::black_box([levels; 64]);
        if levels == 0 { 0 } else { 1 + depth(filler[63] - 1) }
    }

    #[test]
    fn recursion_beyond_an_ordinary_stack_fits() {
        assert_eq!(on_stack(1 << 30, || depth(400_000)).unwrap(), 400_000);
    }

    #[test]
    fn a_panic_comes_through() {
        let caught = std::panic::catch_unwind(|| on_stack(1 << 20, || panic!("over there")));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"over there"));
    }
}
