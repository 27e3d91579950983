//! memlatch: safe concurrent access to JSON memory files, in one multicall binary.
//!
//! One direction, one value back: argv → tool → request → lock → read → filter → durable replacement → report. The
//! modules stand below in the order in which a command meets them; `docs/architecture.md` says why they are cut so.

pub mod multicall;

pub mod cli;
pub mod clients;
pub mod elsewhere;
pub mod help;
mod mcp_entry;
pub mod request;
pub mod settings;

pub mod commands;
pub mod mcp;

pub mod diff;
pub mod schema;

pub mod failure;
pub mod outcome;
pub mod refusal;
pub mod report;
pub mod revision;
mod sandbox;
pub mod sink;

mod manual;

use memlatch_jq::{document, filter, value};
use memlatch_lock as lock;
use memlatch_os as process;
use memlatch_replace as replace;

use commands::Context;
use failure::Failure;
use multicall::Tool;
use outcome::Outcome;
use report::Console;
use request::Request;
use settings::Settings;
use std::ffi::OsString;

/// Runs one command line and returns its exit status.
#[expect(clippy::disallowed_methods, reason = "this is where the settings are read")]
pub fn run(words: impl Iterator<Item = OsString>) -> u8 {
    let settings = Settings::read(words.collect());
    let call = multicall::dispatch(settings.words());
    let console = Console::new(call.tool.map_or("memlatch", Tool::name), &settings);
    let context = Context { settings: &settings, sink: &console };
    let told = cli::parse(call, &settings).and_then(|request| {
        if let Some(place) = elsewhere::named_in(&request, &settings)? {
            return Err(elsewhere::take_over(&place, &settings));
        }
        // `doctor` reports what is wrong with the environment, so it must run in spite of that.
        if !matches!(request, Request::Doctor(_)) {
            settings.lock_debug()?;
        }
        let outcome = obey(&request, context)?;
        let status = console.tell(&outcome)?;
        outcome.keep();
        Ok(status)
    });
    told.unwrap_or_else(|failure| match elsewhere::found_by(&failure) {
        Some(place) => console.fail(&elsewhere::take_over(place, &settings)),
        None => console.fail(&failure),
    })
}

fn obey(request: &Request, context: Context<'_>) -> Result<Outcome, Failure> {
    match request {
        Request::Acquire(request) => commands::file_lock::acquire(request, context),
        Request::Release(request) => commands::file_lock::release(request, context),
        Request::With(request) => commands::with::run(request, context),
        Request::Status { file, json } => commands::file_lock::status(file, *json, context),
        Request::Show { listing, of: None } => commands::show::run(*listing, context),
        Request::Show { of: Some(place), .. } => Err(elsewhere::no_address(place)),
        Request::Cleanup { dry_run, json } => commands::file_lock::cleanup(*dry_run, *json, context),
        Request::Update(request) => commands::memory_update::run(request, context),
        Request::Read(request) => commands::memory_read::run(request, context),
        Request::Write(request) => commands::atomic_write::run(request, context),
        Request::Install { folder, force } => commands::install::run(folder.as_deref(), *force, context),
        Request::Merge(request) => commands::merge::run(request, context),
        Request::DriveMerge(request, path) => commands::merge::drive(request, path, context),
        Request::InstallGitMerge { repository, remove: false } => {
            commands::git_merge::install(repository.as_deref(), context)
        }
        Request::InstallGitMerge { repository, remove: true } => commands::git_merge::remove(repository.as_deref()),
        Request::InstallMcp { client, print } => commands::install_mcp::run(*client, *print, context),
        Request::Mcp(request) => mcp::run(request, context),
        Request::McpCall => mcp::call::run(context),
        Request::Doctor(request) => commands::doctor::run(request, context),
        Request::SecondProcess(file) => commands::doctor::second_process(file),
        Request::BetweenHosts(part) => commands::doctor::between_hosts(*part, context),
        Request::Completions { shell } => Ok(manual::completions(*shell)),
        Request::Manual { folder } => manual::pages(folder.as_deref()),
        Request::Text(text) => Ok(Outcome::Data(text.clone().into_bytes())),
    }
}
