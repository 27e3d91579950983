//! `file-lock with`: a command under one or more locks.

use super::{Context, form::Form, give_back, lock_folder, resolve};
use crate::{
    failure::{self, Failure, Kind},
    lock::{self, Claim, Guard, info, target::Target},
    outcome::{Outcome, Ran},
    process::{Signals, deliver, shares_group},
    request::With,
    settings::{self, Settings},
    sink::Note,
};
use memlatch_os::paths::{quoted, shown};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus},
};

/// Runs a command while holding the locks, and returns its exit status.
///
/// The command inherits the guards. If this process is killed, they stay locked until the command has ended; when it
/// exits normally, they are unlocked, even if the command has left a daemon behind.
pub fn run(request: &With, context: Context<'_>) -> Result<Outcome, Failure> {
    let guards = lock_all(request, context)?;
    context.sink.note(Note::Executing(&request.command));
    let result = run_inside(&guards, &request.command, context);
    for guard in guards.into_iter().rev() {
        // The command has run, and its status counts.
        give_back(guard, context);
    }
    result
}

/// Takes the locks in the order of their names, the same for all processes, so that two commands that want the same files
/// cannot each hold what the other waits for.
fn lock_all(request: &With, context: Context<'_>) -> Result<Vec<Guard>, Failure> {
    let folder = lock_folder(context)?;
    let mut targets: Vec<Target> = request.files.iter().map(|file| resolve(file)).collect::<Result<_, _>>()?;
    refuse_misplaced_command(request, context.settings)?;
    targets.sort_by(|a, b| a.id.cmp(&b.id));
    targets.dedup_by(|a, b| a.id == b.id);
    let program =
        request.command.first().map(|program| shown(Path::new(Path::new(program).file_name().unwrap_or(program))));
    let claim = Claim { kind: info::Kind::With, command: program, client: request.client.clone() };
    let begun = std::time::Instant::now();
    let mut guards = Vec::with_capacity(targets.len());
    for target in &targets {
        let left = lock::Wait { timeout: request.wait.timeout.saturating_sub(begun.elapsed()), ..request.wait };
        match lock::exclusive(&folder, target, &claim, left, context.sink.observer()) {
            Ok(guard) => guards.push(guard),
            Err(error) => {
                let mut failure = Failure::from(error);
                if let (Kind::Busy, Some(code)) = (failure.kind, request.conflict_code) {
                    failure.kind = Kind::Conflict(code);
                }
                return Err(failure);
            }
        }
    }
    Ok(guards)
}

/// In `with f grep -- x f` and `with f ./run.sh -- x` the words before `--` are files by the rules, but they were hardly
/// meant as such: then `with` would lock the program and run what follows.
fn refuse_misplaced_command(request: &With, settings: &Settings) -> Result<(), Failure> {
    match request.files.iter().skip(1).find(|file| is_command(file, settings)) {
        Some(word) => Err(Failure::usage(format!(
            "'{0}' comes before '--', where files to lock are expected, but it is a command; put '--' before it: file-lock with {1} -- {2} …",
            shown(word),
            quoted(&request.files[0]),
            quoted(word),
        ))),
        None => Ok(()),
    }
}

/// Whether a word names a program rather than a file of data. On some file systems every file is executable, so one that
/// is named as data is believed.
fn is_command(word: &Path, settings: &Settings) -> bool {
    let is_data = Form::of(word) != Form::Sequence;
    let is_bare = word.components().count() == 1;
    match std::fs::metadata(word) {
        Ok(facts) => !is_data && facts.is_file() && facts.permissions().mode() & 0o111 != 0,
        Err(_) => is_bare && settings.search_path().iter().any(|directory| directory.join(word).is_file()),
    }
}

fn run_inside(guards: &[Guard], command: &[OsString], context: Context<'_>) -> Result<Outcome, Failure> {
    for guard in guards {
        guard.inherit().map_err(|error| Failure::failed(format!("cannot pass on the lock: {error}")))?;
    }
    // From here on signals go to the command, and the locks are released after it.
    let signals = Signals::block().map_err(|error| Failure::failed(format!("cannot block signals: {error}")))?;
    let (program, arguments) = command.split_first().expect("the command line requires a command");
    let mut child = signals
        .spawn(Command::new(program).args(arguments).env(settings::INSIDE, tokens(guards, context.settings)))
        .map_err(|error| cannot_run(program, &error))?;
    let status = wait_and_forward(&mut child, &signals)
        .map_err(|error| Failure::failed(format!("cannot wait for '{}': {error}", shown(Path::new(program)))))?;
    Ok(Outcome::Ran(Ran { status: shell_status(status) }))
}

/// Waits for the command to exit, and forwards signals to it in the meantime.
pub fn wait_and_forward(child: &mut Child, signals: &Signals) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let signal = signals.next()?;
        // What a key sent to our group has reached the command already, unless that has made a group of its own, as
        // timeout(1) does.
        let has_it = signal.from_key && shares_group(child.id());
        if signal.number != libc::SIGCHLD && !has_it {
            deliver(signal.number, child.id());
        }
    }
}

/// The holds that the command works under: those of this process, and those around it.
fn tokens(guards: &[Guard], settings: &Settings) -> String {
    let mut tokens = settings.inside();
    tokens.extend(guards.iter().map(|guard| guard.token().to_owned()));
    tokens.join(",")
}

/// A command that could not be started.
pub fn cannot_run(program: &OsStr, error: &io::Error) -> Failure {
    let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NoSuchCommand } else { Kind::NotExecutable };
    Failure::new(kind, format!("cannot run '{}': {error}", shown(Path::new(program))))
}

/// A status as in a shell: that of the command, or 128 plus the number of the signal that ended it.
pub fn shell_status(status: ExitStatus) -> u8 {
    let signal = status.signal().map(failure::status_of_signal);
    signal.or_else(|| u8::try_from(status.code()?).ok()).unwrap_or(1)
}
