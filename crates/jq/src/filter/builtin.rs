//! What an entry of the library is: a name with its parameters, what is known about its outputs and paths, and its body.
//!
//! The entries stand in a slice beside what they do (`values`, `strings`, `paths`, …); `library` is all of them. One more
//! function of the language is one more entry.

use super::engine::{Cv, Engine, Outputs};
use crate::value::{Failure, Value};
use jaq_core::box_iter::box_once;
use jaq_core::{Exn, Native};

/// What a function of values gives.
pub type Outcome = Result<Value, Failure>;

/// A function over jaq-core's contexts.
pub type Run = for<'a> fn(Cv<'a>) -> Outputs<'a>;

/// A function of the language.
pub struct Builtin {
    pub name: &'static str,
    pub params: &'static [Param],
    pub outputs: Count,
    pub leads: Leads,
    /// false for what only definitions of the library may call
    pub public: bool,
    pub body: Body,
}

/// How an argument is handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Param {
    /// each of its outputs in turn
    Value,
    /// as a filter
    Filter,
    /// as a filter that is asked for paths
    Path,
}

/// How many outputs a function has, for each combination of its value arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    None,
    One,
    /// the input, or nothing if the argument gives neither true nor anything like it
    Selected,
    /// at most one, as often as there is one of its last argument
    First,
    /// as many as its argument
    AsArgument,
    Any,
}

/// Whether a call leads to a place below its input, so that it can be updated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leads {
    Nowhere,
    Somewhere,
    /// to where its last argument leads
    AlongLast,
}

pub enum Body {
    /// in the language itself: a whole definition
    Defined(&'static str),
    /// a function of the input, and the same for jaq-core, which takes no function that remembers another
    Plain(fn(Value) -> Outcome, Run),
    /// a function of the input and an argument
    Unary(fn(Value, Value) -> Outcome, Run),
    /// anything else that leads along no paths
    Run(Run),
    /// what leads along paths too
    Leading(fn() -> Native<Engine>),
    /// jaq-core's own, by its name there
    Core(&'static str),
}

pub const fn new(name: &'static str, params: &'static [Param], outputs: Count, body: Body) -> Builtin {
    Builtin { name, params, outputs, leads: Leads::Nowhere, public: true, body }
}

/// A function of the input alone: one output or an error.
macro_rules! plain {
    ($name:literal, $f:expr) => {
        $crate::filter::builtin::new(
            $name,
            &[],
            $crate::filter::builtin::Count::One,
            $crate::filter::builtin::Body::Plain($f, |cv| $crate::filter::builtin::give($f(cv.1))),
        )
    };
}

/// A function of the input and one value: one output or an error.
macro_rules! unary {
    ($name:literal, $f:expr) => {
        $crate::filter::builtin::new(
            $name,
            &[$crate::filter::builtin::Param::Value],
            $crate::filter::builtin::Count::One,
            $crate::filter::builtin::Body::Unary($f, |mut cv| {
                let argument = cv.0.pop_var();
                $crate::filter::builtin::give($f(cv.1, argument))
            }),
        )
    };
}

pub(super) use {plain, unary};

/// One output or an error, of any arguments.
pub const fn one(name: &'static str, params: &'static [Param], run: Run) -> Builtin {
    new(name, params, Count::One, Body::Run(run))
}

/// Any number of outputs.
pub const fn any(name: &'static str, params: &'static [Param], run: Run) -> Builtin {
    new(name, params, Count::Any, Body::Run(run))
}

pub const fn leading(name: &'static str, params: &'static [Param], native: fn() -> Native<Engine>) -> Builtin {
    Builtin { leads: Leads::Somewhere, ..new(name, params, Count::Any, Body::Leading(native)) }
}

pub const fn core(name: &'static str, params: &'static [Param], core_name: &'static str) -> Builtin {
    Builtin { leads: Leads::AlongLast, ..new(name, params, Count::Any, Body::Core(core_name)) }
}

pub const fn defined(name: &'static str, params: &'static [Param], text: &'static str) -> Builtin {
    new(name, params, Count::Any, Body::Defined(text))
}

impl Builtin {
    pub const fn gives(self, outputs: Count) -> Self {
        Self { outputs, ..self }
    }

    pub const fn leads(self, leads: Leads) -> Self {
        Self { leads, ..self }
    }

    pub const fn internal(self) -> Self {
        Self { public: false, ..self }
    }

    /// The function as jaq-core calls it; `None` if it is defined in the language.
    pub fn native(&self) -> Option<Native<Engine>> {
        Some(match self.body {
            Body::Defined(_) => return None,
            Body::Plain(_, run) | Body::Unary(_, run) | Body::Run(run) => Native::<Engine>::new(run),
            Body::Leading(native) => native(),
            Body::Core(name) => {
                let mut core = jaq_core::funs::<Engine>();
                core.find(|(n, params, _)| *n == name && params.len() == self.params.len())?.2
            }
        })
    }
}

pub fn give<'a>(outcome: Outcome) -> Outputs<'a> {
    box_once(outcome.map_err(Exn::from))
}

pub fn fail<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Value::from(message.into()))
}

pub fn fail_with<'a, T: 'a>(failure: Failure) -> jaq_core::ValXs<'a, T, Value> {
    box_once(Err(Exn::from(failure)))
}

/// Two are the same if programs cannot tell their names apart.
impl PartialEq for Builtin {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.params.len(), self.public) == (other.name, other.params.len(), other.public)
    }
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.name, self.params.len())
    }
}
