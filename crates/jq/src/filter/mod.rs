//! The filter language: jq 1.8's, compiled and run on jaq-core.
//!
//! A program goes through our own parser ([`parse`]), which writes down what jaq-core has no term for in terms that it has;
//! the linker ([`link`]) finds what its names stand for and takes in what it reaches of the [`library`], with jq's order of
//! evaluation ([`order`]) and way of updating ([`updates`]); jaq-core compiles and interprets the result ([`lower`]) over our
//! values ([`engine`]). Only this directory uses jaq-core.

mod access;
mod builtin;
mod code;
mod control;
mod dates;
mod definitions;
mod direct;
mod engine;
mod formats;
mod library;
mod link;
mod literals;
mod loops;
mod lower;
mod math;
mod modules;
mod order;
mod parse;
mod paths;
mod places;
mod regex;
mod shape;
mod sorting;
mod stack;
mod strings;
mod term;
mod updates;
mod values;
mod world;

pub use crate::value::Value;
pub use access::{Access, Environment};
pub use stack::on_large_stack;

use crate::value::{Map, ceil_char_boundary, floor_char_boundary};
use code::Codes;
use engine::{Data, Engine, World};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars};
use std::{cell::RefCell, fmt, ops::ControlFlow, path::PathBuf, rc::Rc, sync::Arc};

/// A program and what it can see.
#[derive(Default)]
pub struct Program {
    pub text: String,
    /// the file that the text is from, for messages
    pub file: Option<PathBuf>,
    /// where modules are looked for; if empty, where jq looks
    pub libraries: Vec<PathBuf>,
    pub bindings: Bindings,
    /// what `input_filename` gives
    pub input_name: InputName,
    /// what it may see of the machine
    pub access: Access,
}

/// Values for `$name` and `$ARGS`.
#[derive(Default)]
pub struct Bindings {
    pub named: Vec<(String, Value)>,
    pub positional: Vec<Value>,
}

/// Why a program does not compile: jq's message, with the place marked below the line.
#[derive(Debug, Clone)]
pub struct CompileError {
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompileError {}

/// Why a run ended early.
#[derive(Debug, Clone)]
pub enum RunError {
    /// `error`, or something that cannot be done with a value
    Failed(Value),
    /// `halt` or `halt_error`: filters cannot end this program
    Halted(i32),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(Value::String(message)) => f.write_str(message),
            Self::Failed(value) => write!(f, "(not a string): {value}"),
            Self::Halted(_) => f.write_str("the filter called halt; a filter cannot end the program"),
        }
    }
}

impl std::error::Error for RunError {}

/// What a filter is run on.
pub enum Input {
    /// once, on this value
    One(Value),
    /// once, on null; `input` and `inputs` give the values
    Null(Box<dyn Iterator<Item = Value>>),
    /// on every value, but for those that `input` takes
    Each(Box<dyn Iterator<Item = Value>>),
}

/// The name of the file of the current input, if it comes from a file. The producer of the inputs sets it with each.
#[derive(Clone, Debug, Default)]
pub struct InputName(Rc<RefCell<Option<Arc<str>>>>);

impl InputName {
    pub fn set(&self, name: Option<Arc<str>>) {
        *self.0.borrow_mut() = name;
    }

    /// The name that was set last.
    pub fn current(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    fn value(&self) -> Value {
        self.0.borrow().as_deref().map_or(Value::Null, Value::from)
    }
}

/// A compiled program.
pub struct Filter {
    filter: jaq_core::Filter<Engine>,
    codes: Rc<Codes>,
    input_name: InputName,
    access: Rc<Access>,
    search_list: Value,
    origin: Value,
}

/// The name under which the whole program is a definition.
const MAIN: &str = "memlatch_main";

/// Compiles a program; modules are read from their files.
///
/// # Errors
/// Syntax errors, undefined names, modules that are not found: all wrong usage.
pub fn compile(program: Program) -> Result<Filter, CompileError> {
    let Program { text, file, libraries, bindings, input_name, access } = program;
    let searched: Vec<PathBuf> = match libraries.is_empty() {
        _ if !access.files => Vec::new(),
        true => modules::SEARCH.iter().map(PathBuf::from).collect(),
        false => libraries.into_iter().map(|p| p.canonicalize().unwrap_or(p)).collect(),
    };
    let search_list: Value = searched.iter().map(|p| Value::from(p.to_string_lossy().into_owned())).collect();
    let folder = file.as_ref().and_then(|f| f.parent()).map(PathBuf::from).unwrap_or_default();
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let origin = match access.files {
        true => Value::from(folder.to_string_lossy().into_owned()),
        false => Value::Null,
    };
    let name = file.map_or("<top-level>".into(), |f| f.display().to_string());
    let variables = variables(bindings);
    let names = parse::Names::new();

    let mut linker = link::Linker::new(&names, modules::Units::new(&names, searched, &access), &variables);
    let linked = (|| {
        let main = linker.units.add(&name, &text, folder, None)?;
        linker.units.include_home(main)?;
        linker.main(main, MAIN)
    })();
    if let Err(e) = linked {
        return Err(located(&linker.units, &e));
    }

    let lowered = lower::lower(&names, linker.definitions);
    let arena = Arena::default();
    let modules = Loader::new(lowered.definitions)
        .load(&arena, File { code: MAIN, path: () })
        .unwrap_or_else(|_| panic!("the main text is one name"));
    let mut codes = linker.direct.codes;
    let global_names: Vec<_>;
    (global_names, codes.globals) = linker.globals.into_iter().unzip();
    let compiled = Compiler::default().with_funs(lowered.natives).with_global_vars(global_names).compile(modules);
    let filter = match compiled {
        Ok(filter) => filter,
        Err(errors) => {
            // The linker has looked every name up: this is a mistake in it.
            let (_, errors) = errors.into_iter().next().unwrap_or_default();
            let names: Vec<_> = errors.iter().map(|(name, what)| format!("{} {name}", what.as_str())).collect();
            return Err(CompileError { message: format!("cannot compile: {}", names.join(", ")) });
        }
    };
    Ok(Filter { filter, codes: Rc::new(codes), input_name, access: Rc::new(access), search_list, origin })
}

/// The variables that a program may use without defining them.
fn variables(bindings: Bindings) -> Vec<(String, Value)> {
    let mut named = Map::default();
    for (name, value) in &bindings.named {
        if !named.contains_key(name) {
            named.insert(name.as_str().into(), value.clone());
        }
    }
    let mut args = Map::default();
    args.insert("positional".into(), Value::array(bindings.positional));
    args.insert("named".into(), Value::object(named));
    let mut all = vec![("ARGS".into(), Value::object(args))];
    // The first of several of one name counts, as in jq; the search is from the back.
    all.extend(bindings.named.into_iter().rev());
    all
}

/// An error with its line and a caret, as jq 1.8 prints it.
fn located(units: &modules::Units<'_>, e: &modules::UnitError) -> CompileError {
    let error = &e.error;
    let Some(unit) = e.unit.and_then(|i| units.all.get(i)) else {
        return CompileError { message: error.what.clone() };
    };
    let text = unit.text;
    let start = floor_char_boundary(text, error.start.min(text.len()));
    let line = 1 + text[..start].matches('\n').count();
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[line_start..].find('\n').map_or(text.len(), |i| line_start + i);
    let end = ceil_char_boundary(text, error.end.clamp(start, line_end.max(start)));
    let column = 1 + text[line_start..start].chars().count();
    let width = text[start..end.max(start)].chars().count().max(1);
    let message = format!(
        "{} at {}, line {line}, column {column}:\n    {}\n    {}{}",
        error.what,
        unit.name,
        &text[line_start..line_end],
        " ".repeat(column - 1),
        "^".repeat(width),
    );
    CompileError { message }
}

impl Filter {
    /// Runs the filter and hands every output to `each`, until that breaks.
    ///
    /// # Errors
    /// The first error ends the run (of all inputs).
    pub fn run(&self, input: Input, each: &mut dyn FnMut(Value) -> ControlFlow<()>) -> Result<(), RunError> {
        let (first, inputs): (_, Box<dyn Iterator<Item = Value>>) = match input {
            Input::One(value) => (Some(value), Box::new(std::iter::empty())),
            Input::Null(inputs) => (Some(Value::Null), inputs),
            Input::Each(inputs) => (None, inputs),
        };
        let each_input = first.is_none();
        let world = World {
            inputs: RefCell::new(Box::new(inputs.map(Ok))),
            input_name: self.input_name.clone(),
            access: self.access.clone(),
            codes: self.codes.clone(),
            search_list: self.search_list.clone(),
            origin: self.origin.clone(),
        };
        let mut next = first;
        loop {
            let value = match next.take() {
                Some(value) => value,
                None if !each_input => return Ok(()),
                None => match world.inputs.borrow_mut().next() {
                    Some(Ok(value)) => value,
                    _ => return Ok(()),
                },
            };
            if self.run_one(value, &world, each)?.is_break() {
                return Ok(());
            }
        }
    }

    fn run_one(
        &self,
        value: Value,
        world: &World,
        each: &mut dyn FnMut(Value) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RunError> {
        let data = Data { lut: &self.filter.lut, world };
        let ctx = Ctx::<Engine>::new(data, Vars::new(self.codes.globals.iter().cloned()));
        for output in self.filter.id.run((ctx, value)) {
            match output {
                Ok(value) => {
                    if each(value).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(exception) => {
                    return Err(match exception.get_err() {
                        Ok(error) => RunError::Failed(error.into_val()),
                        Err(other) => match other.get_halt() {
                            Ok(status) => RunError::Halted(status),
                            Err(_) => RunError::Failed("break".into()),
                        },
                    });
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
