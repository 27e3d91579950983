//! Parsed command lines → requests: arguments to their meaning, options to types.

use super::{
    definitions::{OWN_SCHEMA, Options, definition},
    matches::{flag, is_given, many, one, places, text, value},
    own,
    words::{mark_filters, sort_words},
};
use crate::{
    commands::condition,
    document::{Indent, Layout},
    failure::Failure,
    lock::{Wait, lease::Terms},
    multicall::{Call, Tool},
    replace::{Durability, Keep},
    request::{
        Acquire, Answer, Binding, Change, Condition, Content, Effect, FilterSpec, InputMode, Listing, OutputStyle,
        Positional, Read, Release, Request, SchemaOf, Show, Source, Strings, Update, With, Write,
    },
    revision::Expected,
    settings::{self, Settings},
};
use clap::ArgMatches;
use std::{borrow::Cow, ffi::OsString, mem::ManuallyDrop, path::Path, time::Duration};

/// Parses a command line into a request.
pub fn parse(call: Call<'_>, settings: &Settings) -> Result<Request, Failure> {
    if let (None, Some(request)) = (call.tool, own::between_processes(call.words)) {
        return Ok(request);
    }
    if let (None | Some(Tool::FileLock), []) = (call.tool, call.words) {
        return Err(Failure::usage(format!("the command is missing\n\n{}", own::help_on(call.tool, &[])?.trim_end())));
    }
    let words = match call.tool {
        Some(Tool::FileLock) => mark_command(call.words),
        Some(Tool::MemoryRead | Tool::MemoryUpdate) => mark_filters(call.tool, call.words),
        _ => Cow::Borrowed(call.words),
    };
    // Only the complete definition can explain what is wrong with a command line.
    let matches = match find(call.tool, Options::In(&words), &words).or_else(|_| find(call.tool, Options::All, &words))
    {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => {
            return Err(or_detached_number(&words, Failure::usage(complaint(&error))));
        }
        Err(error) => return Ok(Request::Text(error.render().to_string())),
    };
    request(call.tool, &matches, settings).map_err(|failure| or_detached_number(&words, failure))
}

fn request(tool: Option<Tool>, matches: &ArgMatches, settings: &Settings) -> Result<Request, Failure> {
    match tool {
        Some(Tool::FileLock) => file_lock_request(matches, settings),
        Some(Tool::MemoryUpdate) => Ok(Request::Update(Box::new(update_request(matches, settings)?))),
        Some(Tool::MemoryRead) => Ok(Request::Read(Box::new(read_request(matches, settings)?))),
        Some(Tool::AtomicWrite) => Ok(Request::Write(write_request(matches, settings)?)),
        None => own::request(matches),
    }
}

/// Neither the definition nor the matches are ever dropped: freeing them costs a tenth of a small update's
/// instructions, and the process exits soon.
fn find(tool: Option<Tool>, options: Options<'_>, words: &[OsString]) -> Result<ManuallyDrop<ArgMatches>, clap::Error> {
    let mut definition = ManuallyDrop::new(definition(tool, options).no_binary_name(true));
    definition.try_get_matches_from_mut(words).map(ManuallyDrop::new)
}

/// clap's message without its own prefix.
fn complaint(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
}

/// The error for `--backup 3`: the value of the option is optional, so the number after a blank is a separate argument, and whatever
/// is wrong with the command line is a consequence of that.
fn or_detached_number(words: &[OsString], failure: Failure) -> Failure {
    let mut pairs = words.windows(2).take_while(|pair| pair[0] != "--");
    let detached = pairs.find(|pair| {
        (pair[0] == "--backup" || pair[0] == "--restore")
            && pair[1].to_str().is_some_and(|word| word.parse::<u32>().is_ok())
    });
    detached.map_or(failure, |pair| {
        let (option, number) = (pair[0].to_string_lossy(), pair[1].to_string_lossy());
        Failure::usage(format!("'{number}' does not belong to {option}; write {option}={number}"))
    })
}

fn file_lock_request(matches: &ArgMatches, settings: &Settings) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "acquire" => Request::Acquire(Acquire {
            file: one(matches, "file"),
            wait: wait(matches, settings)?,
            terms: Terms {
                owner: match value::<String>(matches, "owner") {
                    Some(text) => Some(settings::owner("--owner", &text)?),
                    None => settings.lock_owner()?,
                },
                ttl: ttl(matches)?,
            },
            client: value(matches, "client"),
        }),
        "release" => Request::Release(Release {
            lock: one(matches, "lock"),
            wait: wait(matches, settings)?,
            force: flag(matches, "force"),
        }),
        "with" => Request::With(With {
            files: many(matches, "files"),
            command: many(matches, "command"),
            wait: wait(matches, settings)?,
            client: value(matches, "client"),
            conflict_code: value(matches, "conflict-exit-code"),
        }),
        "status" => Request::Status { file: one(matches, "file"), json: flag(matches, "json") },
        "show" => {
            let listing = match (flag(matches, "json"), flag(matches, "watch")) {
                (true, _) => Listing::Json,
                (false, true) => Listing::Watch,
                (false, false) => Listing::Text,
            };
            Request::Show { listing, of: value(matches, "of") }
        }
        "cleanup" => Request::Cleanup { dry_run: flag(matches, "dry-run"), json: flag(matches, "json") },
        "help" => Request::Text(own::help_on(Some(Tool::FileLock), &many(matches, "words"))?),
        other => unreachable!("clap knows no subcommand {other}"),
    })
}

/// Refuses options that cannot be used together. clap could do that too, but it knows only the options that are
/// mentioned.
fn only_one_of(matches: &ArgMatches, options: &[&str]) -> Result<(), Failure> {
    let mut given = options.iter().filter(|option| is_given(matches, option));
    match (given.next(), given.next()) {
        (Some(one), Some(other)) => {
            Err(Failure::usage(format!("--{one} and --{other} cannot be used together; leave one of them out")))
        }
        _ => Ok(()),
    }
}

/// Marks where the command of `with` begins, in the form without `--`: behind the first file.
///
/// Everything after that mark belongs to the command.
fn mark_command(words: &[OsString]) -> Cow<'_, [OsString]> {
    if words.first().is_none_or(|word| word != "with") || words.iter().any(|word| word == "--") {
        return Cow::Borrowed(words);
    }
    let skip_options = |mut at: usize| {
        while let Some(word) = words.get(at).map(|word| word.to_string_lossy()) {
            at += match word.as_ref() {
                "--timeout" | "--client" | "--conflict-exit-code" | "-E" => 2,
                option if option.starts_with('-') && option != "-" => 1,
                _ => break,
            };
        }
        at
    };
    // Options between the file and the command still belong to `with`.
    let at = skip_options(skip_options(1) + 1);
    if at >= words.len() {
        return Cow::Borrowed(words);
    }
    let mut words = words.to_vec();
    words.insert(at, "--".into());
    Cow::Owned(words)
}

/// The options that only make sense with a filter.
const OF_FILTERS: [&str; 8] =
    ["arg", "argjson", "slurpfile", "rawfile", "args", "jsonargs", "library-path", "eval-timeout"];

fn refuse_filter_options(matches: &ArgMatches) -> Result<(), Failure> {
    match OF_FILTERS.into_iter().find(|option| is_given(matches, option)) {
        None => Ok(()),
        Some(option) => {
            Err(Failure::usage(format!("--{option} needs a filter, and --function runs without one; leave it out")))
        }
    }
}

fn update_request(matches: &ArgMatches, settings: &Settings) -> Result<Update, Failure> {
    for preview in ["dry-run", "diff"] {
        only_one_of(matches, &[preview, "print-revision", "json"])?;
    }
    for other in ["backup", "function", "allow-type-change"] {
        only_one_of(matches, &["append", other])?;
    }
    let function: Option<String> = value(matches, "function");
    let wants_filter = function.is_none() && !matches.contains_id("from-file");
    let words = sort_words(matches, usize::from(wants_filter), false)?;
    let change = match function {
        Some(name) => {
            refuse_filter_options(matches)?;
            Change::Function(name)
        }
        None => {
            let program = filter_spec(matches, words.filter, words.positional, settings)?.ok_or_else(|| {
                Failure::usage("the filter is missing; say what to change, for example '.count += 1'")
            })?;
            if flag(matches, "append") { Change::Append(program) } else { Change::Filter(program) }
        }
    };
    Ok(Update {
        file: words.file,
        change,
        backup: backup(matches),
        create: value(matches, "create"),
        expected: expected(matches)?,
        answer: answer(matches),
        may_change_type: flag(matches, "allow-type-change"),
        effect: match (flag(matches, "dry-run"), flag(matches, "diff")) {
            (_, true) => Effect::Difference,
            (true, false) => Effect::Preview,
            (false, false) => Effect::Write,
        },
        schema: schema(matches),
        durability: durability(matches),
        wait: wait(matches, settings)?,
        client: value(matches, "client"),
        layout: layout(matches),
    })
}

fn read_request(matches: &ArgMatches, settings: &Settings) -> Result<Read, Failure> {
    only_one_of(matches, &["raw", "revision", "with-revision"])?;
    let words = sort_words(matches, usize::from(!matches.contains_id("from-file")), true)?;
    let filter = filter_spec(matches, words.filter, words.positional, settings)?;
    let files = [vec![words.file], words.more_files].concat();
    let style = style(matches)?;
    let input = InputMode {
        raw: flag(matches, "raw-input"),
        stream: flag(matches, "stream"),
        slurp: flag(matches, "slurp"),
        null: flag(matches, "null-input"),
    };
    if input.raw && input.stream {
        return Err(Failure::usage("--raw-input and --stream cannot be used together; leave one of them out"));
    }
    let status_from_output = flag(matches, "exit-status");
    let with_revision = flag(matches, "with-revision");
    if with_revision && (files.len() > 1 || input != InputMode::default()) {
        return Err(Failure::usage(
            "--with-revision works with one file and its whole content; leave out other files and input options",
        ));
    }
    let is_asked_for_more = OutputStyle { layout: Layout::default(), ..style } != OutputStyle::default()
        || input != InputMode::default()
        || status_from_output
        || with_revision
        || files[0] == Path::new("-");
    let show = match (filter, flag(matches, "raw"), flag(matches, "revision")) {
        (None, false, true) => Show::Revision,
        (Some(_), _, true) => {
            return Err(Failure::usage("--revision prints only the revision; with a filter use --with-revision"));
        }
        (None, true, _) => Show::Bytes,
        (Some(_), true, _) => {
            return Err(Failure::usage(
                "--raw prints the file's bytes and takes no filter; for strings without quotes use -r",
            ));
        }
        (None, false, false) if !is_asked_for_more => Show::Content(style),
        (filter, false, false) => Show::Filtered {
            filter: filter.unwrap_or_else(|| FilterSpec::identity(settings.access())),
            style,
            status_from_output,
            input,
        },
    };
    Ok(Read { files, show, with_revision, locked: !flag(matches, "no-lock"), wait: wait(matches, settings)? })
}

fn style(matches: &ArgMatches) -> Result<OutputStyle, Failure> {
    only_one_of(matches, &["join-output", "raw-output0"])?;
    only_one_of(matches, &["color-output", "monochrome-output"])?;
    let is_set = |name| flag(matches, name);
    let strings = match (is_set("raw-output0"), is_set("join-output"), is_set("raw-output")) {
        (true, ..) => Strings::NulEnded,
        (_, true, _) => Strings::Joined,
        (_, _, true) => Strings::Raw,
        _ => Strings::Quoted,
    };
    let color = match (is_set("color-output"), is_set("monochrome-output")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(OutputStyle { layout: layout(matches), strings, ascii: is_set("ascii-output"), color, sequence: is_set("seq") })
}

fn write_request(matches: &ArgMatches, settings: &Settings) -> Result<Write, Failure> {
    for other in ["restore", "no-lock", "if-revision"] {
        only_one_of(matches, &["base", other])?;
    }
    only_one_of(matches, &["if-revision", "no-lock"])?;
    only_one_of(matches, &["print-revision", "json"])?;
    Ok(Write {
        file: one(matches, "file"),
        content: match (value(matches, "content"), value(matches, "restore")) {
            (Some(text), _) => Content::Text(text),
            (None, Some(number)) => Content::Backup(number),
            (None, None) => Content::StandardInput,
        },
        condition: match (expected(matches)?, value::<OsString>(matches, "base")) {
            (Some(expected), _) => Condition::Revision(expected),
            (None, Some(text)) => Condition::Base(condition::base(text)?),
            (None, None) => Condition::Any,
        },
        answer: answer(matches),
        validate: flag(matches, "validate"),
        schema: schema(matches),
        backup: backup(matches),
        locked: !flag(matches, "no-lock"),
        durability: durability(matches),
        wait: wait(matches, settings)?,
        client: value(matches, "client"),
    })
}

fn filter_spec(
    matches: &ArgMatches,
    filter: Option<String>,
    positional: Vec<Positional>,
    settings: &Settings,
) -> Result<Option<FilterSpec>, Failure> {
    let source = match (value(matches, "from-file"), filter) {
        (Some(file), _) => Source::File(file),
        (None, Some(filter)) => Source::Text(filter),
        (None, None) => return Ok(None),
    };
    Ok(Some(FilterSpec {
        source,
        libraries: many(matches, "library-path"),
        named: named(matches)?,
        positional,
        time_limit: seconds(matches, "eval-timeout")?,
        access: settings.access(),
    }))
}

/// The variables, in the order in which they were given.
fn named(matches: &ArgMatches) -> Result<Vec<(String, Binding)>, Failure> {
    let mut found = Vec::new();
    for option in ["arg", "argjson", "slurpfile", "rawfile"] {
        let values: Vec<OsString> = many(matches, option);
        for (pair, place) in values.chunks(2).zip(places(matches, option).into_iter().step_by(2)) {
            let [name, value] = pair else { unreachable!("clap gives both values or none") };
            let value = value.clone();
            let binding = match option {
                "arg" => Binding::Text(text(value, "the value of --arg")?),
                "argjson" => Binding::Json(text(value, "the value of --argjson")?),
                "slurpfile" => Binding::JsonFile(value.into()),
                _ => Binding::TextFile(value.into()),
            };
            found.push((place, (text(name.clone(), "the name of a variable")?, binding)));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, binding)| binding).collect())
}

/// The layout that is named last counts, as in jq.
fn layout(matches: &ArgMatches) -> Layout {
    let given = |name: &str| is_given(matches, name).then(|| places(matches, name).into_iter().max()).flatten();
    let choices = [
        (given("compact-output"), Indent::Compact),
        (given("tab"), Indent::Tab),
        (given("indent"), value(matches, "indent").map_or(Indent::Compact, Indent::Spaces)),
    ];
    let last = choices.into_iter().filter(|(place, _)| place.is_some()).max_by_key(|(place, _)| *place);
    let indent = last.map_or(Layout::default().indent, |(_, indent)| indent);
    Layout { indent, sort_keys: flag(matches, "sort-keys") }
}

fn expected(matches: &ArgMatches) -> Result<Option<Expected>, Failure> {
    let given: Option<String> = value(matches, "if-revision");
    given.map(|text| Expected::parse(&text).ok_or_else(|| no_revision(&text))).transpose()
}

fn no_revision(text: &str) -> Failure {
    Failure::usage(format!(
        "--if-revision is '{text}'; give 12 to 64 digits of 0-9 and a-f, as memory-read FILE --revision prints them, or none"
    ))
}

fn schema(matches: &ArgMatches) -> Option<SchemaOf> {
    let given: Option<OsString> = value(matches, "schema");
    given.map(|file| if file == OWN_SCHEMA { SchemaOf::Document } else { SchemaOf::File(file.into()) })
}

fn answer(matches: &ArgMatches) -> Answer {
    match (flag(matches, "json"), flag(matches, "print-revision")) {
        (true, _) => Answer::Json,
        (false, true) => Answer::Revision,
        (false, false) => Answer::None,
    }
}

fn backup(matches: &ArgMatches) -> Option<Keep> {
    value(matches, "backup").map(Keep::UpTo)
}

fn durability(matches: &ArgMatches) -> Durability {
    if flag(matches, "no-sync") { Durability::Unsynced } else { Durability::Synced }
}

fn wait(matches: &ArgMatches, settings: &Settings) -> Result<Wait, Failure> {
    let timeout = match seconds(matches, "timeout")? {
        Some(timeout) => timeout,
        None => settings.lock_timeout()?,
    };
    Ok(Wait { timeout, retry: settings.lock_retry()? })
}

/// A lease of no time would be over before its ID is printed.
fn ttl(matches: &ArgMatches) -> Result<Option<Duration>, Failure> {
    match seconds(matches, "ttl")? {
        Some(Duration::ZERO) => Err(Failure::usage(
            "--ttl is '0', so the lease would be over at once; give the seconds that the work may take, or leave it out",
        )),
        ttl => Ok(ttl),
    }
}

fn seconds(matches: &ArgMatches, option: &str) -> Result<Option<Duration>, Failure> {
    let given: Option<String> = value(matches, option);
    given.map(|text| settings::seconds(&format!("--{option}"), &text)).transpose().map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Words that a command line of the tool can be made of: its options in all their forms, and what stands between them.
    fn vocabulary(tool: Tool) -> Vec<String> {
        let mut words: Vec<String> =
            ["f.json", ".a", "1", "2", "name", "-", "--", "-z", "--unknown", "-.5", "{}", "", "-rj", "-cSn", "-fx"]
                .map(str::to_owned)
                .into();
        let mut whole = definition(Some(tool), Options::All);
        whole.build();
        for (option, long) in whole.get_arguments().filter_map(|option| Some((option, option.get_long()?))) {
            words.extend([
                format!("--{long}"),
                format!("--{long}=1"),
                format!("--{long}="),
                format!("--{}", &long[1..]),
            ]);
            words.extend(option.get_short().map(|letter| format!("-{letter}")));
        }
        words
    }

    fn command_line() -> impl Strategy<Value = (Tool, Vec<String>)> {
        let tool = prop::sample::select(vec![Tool::MemoryUpdate, Tool::MemoryRead, Tool::AtomicWrite]);
        tool.prop_flat_map(|tool| (Just(tool), prop::collection::vec(prop::sample::select(vocabulary(tool)), 0..8)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_options_that_are_mentioned_are_all_that_count((tool, words) in command_line()) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let meant = |options| {
                let matches = find(Some(tool), options, &words).map_err(|error| error.kind());
                matches.map(|matches| match request(Some(tool), &matches, &Settings::default()) {
                    Ok(request) => format!("{request:?}"),
                    Err(failure) => failure.to_string(),
                })
            };
            if let Ok(found) = meant(Options::In(&words)) {
                prop_assert_eq!(Ok(found), meant(Options::All));
            }
        }
    }
}
