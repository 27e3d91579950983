//! memlatch: safe concurrent access to JSON memory files, in one multicall binary.
//!
//! One way down, one value back: argv → tool → request → lock → read → filter → durable replacement → report. The
//! modules stand below in the order in which a command meets them; `docs/architecture.md` says why they are cut so.

pub mod multicall;

pub mod cli;
pub mod clients;
pub mod help;
mod mcp_entry;
pub mod request;
pub mod settings;

pub mod commands;
pub mod mcp;

pub mod diff;
pub mod schema;

pub mod failure;
pub mod report;
pub mod revision;
mod sandbox;

mod manual;

use memlatch_jq::{document, filter, value};
use memlatch_lock as lock;
use memlatch_os as process;
use memlatch_replace as replace;

use commands::Exit;
use failure::Failure;
use multicall::Tool;
use report::Console;
use request::Request;
use std::ffi::OsString;

/// Runs one command line and gives its exit status.
pub fn run(args: impl Iterator<Item = OsString>) -> u8 {
    let debug = settings::lock_debug();
    let call = multicall::dispatch(args);
    let console = Console::new(call.tool.map_or("memlatch", Tool::name), matches!(debug, Ok(true)));
    let result = cli::parse(call).and_then(|request| match (&request, debug) {
        // It is there to say what is wrong with the environment.
        (Request::Doctor(_), _) | (_, Ok(_)) => obey(&request, &console),
        (_, Err(error)) => Err(error.into()),
    });
    match result {
        Ok(Exit(status)) => status,
        Err(failure) => {
            console.failure(&failure);
            failure.kind.exit_code()
        }
    }
}

fn obey(request: &Request, console: &Console) -> Result<Exit, Failure> {
    match request {
        Request::Acquire(request) => commands::file_lock::acquire(request, console),
        Request::Release(request) => commands::file_lock::release(request, console),
        Request::With(request) => commands::with::run(request, console),
        Request::Status { file, json } => commands::file_lock::status(file, *json, console),
        Request::Show(listing) => commands::show::run(*listing, console),
        Request::Cleanup { dry_run, json } => commands::file_lock::cleanup(*dry_run, *json, console),
        Request::Update(request) => commands::memory_update::run(request, console),
        Request::Read(request) => commands::memory_read::run(request, console),
        Request::Write(request) => commands::atomic_write::run(request, console),
        Request::Install { folder, force } => commands::install::run(folder.as_deref(), *force, console),
        Request::Merge(request) => commands::merge::run(request, console),
        Request::DriveMerge(request, path) => commands::merge::drive(request, path, console),
        Request::InstallGitMerge { repository, remove: false } => {
            commands::git_merge::install(repository.as_deref(), console)
        }
        Request::InstallGitMerge { repository, remove: true } => {
            commands::git_merge::remove(repository.as_deref(), console)
        }
        Request::InstallMcp { client, print } => commands::install_mcp::run(*client, *print, console),
        Request::Mcp(request) => mcp::run(request, console),
        Request::McpCall => mcp::call::run(console),
        Request::Doctor(request) => commands::doctor::run(request, console),
        Request::SecondProcess(file) => commands::doctor::second_process(file, console),
        Request::BetweenHosts(part) => commands::doctor::between_hosts(*part, console),
        Request::Completions { shell } => manual::completions(*shell, console),
        Request::Manual { folder } => manual::pages(folder.as_deref(), console),
        Request::Text(text) => console.data(|out| out.write_all(text.as_bytes())).map(|()| Exit(0)),
    }
}
