//! memlatch-remote: the tools for documents beyond this machine.
//!
//! memlatch lets this program take its place, with the same name and the same command line, when that names a document on an
//! engine ([`place`]). What words mean, how filters run and what is printed is the library's, as for files; what differs is where a
//! content comes from and goes to ([`session`]), and how locks are held ([`with`], [`keeper`], [`leases`]).

#![no_main]

mod doctor;
mod failures;
mod inside;
mod keeper;
mod leases;
mod place;
mod read;
mod session;
mod show;
mod update;
mod with;
mod write;

use memlatch::{
    cli,
    commands::Context,
    failure::Failure,
    multicall::{self, Call, Tool},
    report::Console,
    request::Request,
    settings::Settings,
};
use std::ffi::OsString;

memlatch_os::program!(run);

/// The word that makes this process the keeper of a lease. No option: people have no use for it.
const KEEP: &str = "--keep";

/// What a command works with beside its request.
#[derive(Clone, Copy)]
struct Means<'a> {
    settings: &'a Settings,
    console: &'a Console<'a>,
}

impl<'a> Means<'a> {
    /// The same for the library's commands.
    fn context(self) -> Context<'a> {
        Context { settings: self.settings, sink: self.console }
    }
}

/// Runs one command line and gives its exit status.
#[expect(clippy::disallowed_methods, reason = "this is where the settings are read")]
fn run(words: std::vec::IntoIter<OsString>) -> u8 {
    let settings = Settings::read(words.collect());
    if settings.words().get(1).is_some_and(|word| word == KEEP) {
        return keeper::run();
    }
    let call = multicall::dispatch(settings.words());
    let console = Console::new(call.tool.map_or("memlatch-remote", Tool::name), &settings);
    let means = Means { settings: &settings, console: &console };
    let told = match &call {
        Call { tool: None, words } if words.first().is_some_and(|word| *word == "landed") => {
            doctor::landed(&settings.words()[1..], means)
        }
        _ => cli::parse(call, &settings).and_then(|request| {
            if !matches!(request, Request::Doctor(_)) {
                settings.lock_debug()?;
            }
            obey(&request, means)
        }),
    };
    told.unwrap_or_else(|failure| console.fail(&failure))
}

fn obey(request: &Request, means: Means<'_>) -> Result<u8, Failure> {
    match request {
        Request::Update(request) => update::run(request, means),
        Request::Read(request) => read::run(request, means),
        Request::Write(request) => write::run(request, means),
        Request::With(request) => with::run(request, means),
        Request::Acquire(request) => leases::acquire(request, means),
        Request::Release(request) => leases::release(request, means),
        Request::Status { file, json } => show::status(file, *json, means),
        Request::Show { listing, of: Some(place) } => show::run(*listing, place, means),
        Request::Doctor(request) => doctor::run(request, means),
        Request::Mcp(_) => Err(Failure::usage(
            "the server for AI clients serves files of this machine; a document beyond it is read and changed by the commands \
             memory-read and memory-update",
        )),
        Request::Text(text) => means.console.data(|out| out.write_all(text.as_bytes())).map(|()| 0),
        _ => Err(Failure::usage(
            "memlatch-remote does what concerns documents beyond this machine, and memlatch calls it by itself; run memlatch",
        )),
    }
}
