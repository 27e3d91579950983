//! Terms whose names are known: jaq-core's terms over [`Word`]s in the place of texts, and how they are put together.

use super::builtin::Builtin;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Opt, Part, Path};

/// The representation in a term of a word in the program's text.
#[derive(Clone, Copy, Debug)]
pub enum Word<'s> {
    /// a variable, a label, a parameter, or the text of a literal
    Text(&'s str),
    /// a variable of the whole program, and its number
    Global(&'s str, usize),
    /// a function of the program, and its number
    Function(&'s str, usize),
    Builtin(&'static Builtin),
    /// a term that is evaluated directly: its number, and how many variables are its first arguments
    Direct(usize, usize),
}

/// A term in which every name has been resolved.
pub type Linked<'s> = Term<Word<'s>>;

impl<'s> Word<'s> {
    /// The word itself; of a function its name.
    pub fn text(self) -> &'s str {
        match self {
            Self::Text(text) | Self::Global(text, _) | Self::Function(text, _) => text,
            Self::Builtin(builtin) => builtin.name,
            Self::Direct(..) => "direct",
        }
    }
}

/// `name(args)`
pub fn call<'s>(builtin: &'static Builtin, args: Vec<Linked<'s>>) -> Linked<'s> {
    Term::Call(Word::Builtin(builtin), args)
}

/// The function of the library that a term calls, with its arguments.
pub fn called<'t, 's>(term: &'t Linked<'s>) -> Option<(&'static Builtin, &'t [Linked<'s>])> {
    match term {
        Term::Call(Word::Builtin(builtin), args) => Some((builtin, args)),
        _ => None,
    }
}

pub fn variable<'s>(name: &'s str) -> Linked<'s> {
    Term::Var(Word::Text(name))
}

pub fn null<'s>() -> Linked<'s> {
    Term::Num(Word::Text("null"))
}

pub fn array(term: Linked<'_>) -> Linked<'_> {
    Term::Arr(Some(Box::new(term)))
}

/// `term as $name | rest`
pub fn bind<'s>(term: Linked<'s>, name: &'s str, rest: Linked<'s>) -> Linked<'s> {
    binary(term, BinaryOp::Pipe(Some(Pattern::Var(Word::Text(name)))), rest)
}

pub fn text<S>(s: S) -> Term<S> {
    Term::Str(None, vec![StrPart::Str(s)])
}

pub fn pipe<S>(left: Term<S>, right: Term<S>) -> Term<S> {
    binary(left, BinaryOp::Pipe(None), right)
}

pub fn binary<S>(left: Term<S>, op: BinaryOp<S>, right: Term<S>) -> Term<S> {
    Term::BinOp(Box::new(left), op, Box::new(right))
}

pub fn path<S>(base: Term<S>, part: Part<Term<S>>, opt: Opt) -> Term<S> {
    Term::Path(Box::new(base), Path(vec![(part, opt)]))
}

/// One more step at the end of a path.
pub fn extend<S>(base: Term<S>, part: Part<Term<S>>, opt: Opt) -> Term<S> {
    match base {
        Term::Path(base, mut path) => {
            path.0.push((part, opt));
            Term::Path(base, path)
        }
        base => path(base, part, opt),
    }
}

/// True for literals, and arrays and objects of literals.
pub fn is_constant<S>(term: &Term<S>) -> bool {
    match term {
        Term::Num(_) | Term::Arr(None) => true,
        Term::Neg(t) => matches!(**t, Term::Num(_)),
        Term::Str(_, parts) => is_plain_text(parts),
        Term::Arr(Some(t)) => is_constant_list(t),
        Term::Obj(members) => {
            let constant = |(k, v): &(Term<S>, Option<Term<S>>)| {
                matches!(k, Term::Str(..)) && is_constant(k) && v.as_ref().is_some_and(is_constant)
            };
            members.iter().all(constant)
        }
        _ => false,
    }
}

fn is_constant_list<S>(term: &Term<S>) -> bool {
    match term {
        Term::BinOp(l, BinaryOp::Comma, r) => is_constant_list(l) && is_constant_list(r),
        term => is_constant(term),
    }
}

/// True for a string without interpolation.
pub fn is_plain_text<S>(parts: &[StrPart<S, Term<S>>]) -> bool {
    !parts.iter().any(|part| matches!(part, StrPart::Term(_)))
}
