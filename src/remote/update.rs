//! `memory-update` on a document beyond this machine.

use crate::{
    Means, inside,
    place::Subject,
    session::{Attempt, Row, Session, claim},
};
use memlatch::{
    commands::{
        append, condition, filtering,
        form::Form,
        memory_update::{call_function, find_function, input_name, refuse_change_of_type},
        no_stack, own_command,
        rule::Rule,
    },
    failure::Failure,
    outcome::{Deed, Outcome, Preview, Written},
    request::{Answer, Change, Effect, Update},
    revision::Revision,
    sink::{Note, Sink},
};
use memlatch_jq::{filter, value::Value};
use memlatch_lock::info::Kind;
use memlatch_os::paths::shown;
use memlatch_remote::{
    address::Place,
    engine::{Seen, Wanted},
};
use memlatch_replace::Keep;

/// Updates the document, or prints what it would become.
pub fn run(request: &Update, means: Means<'_>) -> Result<u8, Failure> {
    filter::on_large_stack(|| update(request, means)).map_err(no_stack)?
}

fn update(request: &Update, means: Means<'_>) -> Result<u8, Failure> {
    let subject = Subject::find(&request.file, means.settings)?;
    if let (Change::Function(_), Place::Bucket { .. }) = (&request.change, &subject.address().place) {
        return Err(Failure::usage(format!(
            "--function may run more than once on '{}', for a bucket has no lock to be held meanwhile; use a filter",
            shown(&subject.target.given)
        )));
    }
    let maker = Maker::prepare(request, &subject, means)?;
    let mut session = Session::begin(
        &subject,
        claim(&subject, Kind::Update, own_command(means.settings), request.client.clone()),
        request.wait,
        means,
    )?;
    if matches!(request.change, Change::Function(_)) && request.effect == Effect::Write {
        session.lock()?;
    }
    let wanted = if request.backup.is_some() { Wanted::Backups } else { Wanted::Document };
    let mut seen = session.look(wanted)?;
    let made = loop {
        let ladder = session.ladder();
        let token = inside::token(subject.address(), &ladder);
        let made = session.keeping(|| maker.make(&seen, &token))?;
        if request.effect != Effect::Write {
            session.end()?;
            let only_difference = request.effect == Effect::Difference;
            let file = subject.target.given.clone();
            let preview = Preview { file, old: seen.document, new: made.text, only_difference };
            return means.console.tell(&Outcome::Preview(preview));
        }
        let row = row_with(seen.document.as_deref(), &seen.backups, request.backup);
        match session.put(&seen, &made.text, row)? {
            Attempt::Done => break made,
            Attempt::Again(now) => seen = now,
        }
    };
    let file = subject.target.given.clone();
    if !made.torn.is_empty() {
        means.console.note(Note::Mended { file: &file, torn: &made.torn });
    }
    let revision = (request.answer != Answer::None).then(|| Revision::of(Some(&made.text)));
    let as_json = request.answer == Answer::Json;
    means.console.tell(&Outcome::Written(Written { file, deed: Deed::Updated, revision, as_json }))
}

/// The row of backups with the old content at its front.
pub fn row_with<'s>(old: Option<&'s [u8]>, backups: &'s [Vec<u8>], keep: Option<Keep>) -> Row<'s> {
    let (Some(keep), Some(old)) = (keep, old) else { return Row::default() };
    let length = match keep {
        Keep::UpTo(count) => count.try_into().unwrap_or(usize::MAX),
        Keep::All => usize::MAX,
    };
    Row { matters: true, new: [old].into_iter().chain(backups.iter().map(Vec::as_slice)).take(length).collect() }
}

/// Makes new content of old, as often as it takes.
struct Maker<'a> {
    request: &'a Update,
    subject: &'a Subject,
    means: Means<'a>,
    form: Form,
    rule: Rule,
    seed: Option<Value>,
    /// The lines of `--append`.
    lines: Option<Vec<u8>>,
}

/// New content.
struct Made {
    text: Vec<u8>,
    /// What a crash had left of a last line, and is left out.
    torn: Vec<u8>,
}

impl<'a> Maker<'a> {
    /// Whatever can fail without the document fails here.
    fn prepare(request: &'a Update, subject: &'a Subject, means: Means<'a>) -> Result<Self, Failure> {
        let form = Form::of(&subject.target.given);
        let rule = Rule::prepare(request.schema.as_ref())?;
        if form == Form::Sequence {
            return Err(Failure::failed(format!(
                "'{}' is not named *.json, *.jsonl or *.ndjson; memory-update changes JSON files only",
                shown(&subject.target.given)
            )));
        }
        let lines = match &request.change {
            Change::Append(program) => {
                if form != Form::Lines {
                    return Err(Failure::usage(format!(
                        "--append adds lines to *.jsonl and *.ndjson, and '{}' is neither; to a list in a document: '.LIST += [VALUE]'",
                        shown(&subject.target.given)
                    )));
                }
                Some(append::new_lines(request, program, &rule, means.context())?)
            }
            Change::Filter(source) => {
                filtering::prepare(source, input_name(&request.file))?;
                None
            }
            Change::Function(name) => {
                find_function(name, means.settings)?;
                None
            }
        };
        let seed = request.create.as_deref().map(|json| form.seed(json)).transpose()?;
        Ok(Maker { request, subject, means, form, rule, seed, lines })
    }

    fn make(&self, seen: &Seen, token: &str) -> Result<Made, Failure> {
        let (request, target, form) = (self.request, &self.subject.target, self.form);
        let current = seen.document.as_deref();
        if let Some(expected) = &request.expected {
            condition::check(expected, current, target, request.answer)?;
        }
        if current.is_none() && self.seed.is_none() {
            return Err(missing(self.subject, "--create starts it from {}, or --create=JSON from something else"));
        }
        if let Some(lines) = &self.lines {
            let mut seed = Vec::new();
            if let Some(value) = &self.seed {
                form.write(value, &request.layout, &mut seed).map_err(Failure::from_output)?;
            }
            let torn = current.map_or(&[][..], |old| &old[form.whole(old)..]).to_vec();
            return Ok(Made { text: append::after(current, Some(&seed), lines), torn });
        }
        let mut torn = Vec::new();
        let old = match (current, &self.seed) {
            (Some(text), _) => {
                let mut text = text.to_vec();
                torn = text.split_off(form.whole(&text));
                form.parse(text).map_err(|error| damaged(self.subject, seen, &error))?
            }
            (None, Some(seed)) => seed.clone(),
            (None, None) => unreachable!("a missing document has been reported"),
        };
        let old_kind = current.is_some().then(|| old.kind());
        let new = match &request.change {
            Change::Function(name) => call_function(name, &old, token, self.means.settings)?,
            Change::Filter(source) => {
                let filter = filtering::prepare(source, input_name(&request.file))?;
                let give_up = |failure: &Failure| self.means.console.last_words(failure);
                filter.only_output(old, give_up).map_err(|failure| failure.about(shown(&target.given)))?
            }
            Change::Append(_) => unreachable!("its lines are complete"),
        };
        self.rule.check_all(form, &new, &target.given)?;
        refuse_change_of_type(old_kind, &new, request)?;
        form.accept(&new, &target.given)?;
        let mut text = Vec::new();
        form.write(&new, &request.layout, &mut text).map_err(Failure::from_output)?;
        Ok(Made { text, torn })
    }
}

/// The error for a missing document; `remedy` says what to do about it.
pub fn missing(subject: &Subject, remedy: &str) -> Failure {
    Failure::failed(format!("'{}' does not exist; {remedy}", shown(&subject.target.given)))
}

/// The document is not JSON.
fn damaged(subject: &Subject, seen: &Seen, error: &memlatch_jq::document::DocumentError) -> Failure {
    let file = shown(&subject.target.given);
    let way_back = match seen.backups.is_empty() {
        true => String::new(),
        false => format!("; a backup holds an earlier content; to put it back: atomic-write {file} --restore"),
    };
    Failure::failed(format!("{file}: {error}{way_back}"))
}
