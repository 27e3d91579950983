//! Finds the terms that surely have one output and run many times, and compiles them to [`Code`].
//!
//! Such a term becomes a call of a native function that evaluates the code. The term itself stays as that function's last
//! argument: where a path is asked for, jaq-core goes along it as ever.

use super::builtin::{Body, Builtin, Param, Run, give};
use super::code::{Change, Code, Codes, How, Machine, Term as Direct, Work};
use super::control::GUARD;
use super::engine::{Cv, Engine, Outputs};
use super::literals::constant;
use super::paths::{ASSIGN, MODIFY};
use super::shape::shape;
use super::term::{Linked, Word, variable};
use crate::value::{Value, negate};
use jaq_core::Native;
use jaq_core::box_iter::box_once;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Opt, Part};
use std::collections::HashSet;

/// As many places of a program are evaluated directly; jaq-core takes functions that know nothing else, so that each needs
/// one of its own.
pub const PLACES: usize = 64;

/// The functions that evaluate the terms: variables from around the term, its source if it has one, the term itself.
pub fn native(number: usize) -> Native<Engine> {
    Native::<Engine>::new(RUN[number])
        .with_paths(|mut cv| {
            let (term, ctx) = cv.0.pop_fun();
            term.paths((ctx, cv.1))
        })
        .with_update(|mut cv, f| {
            let (term, ctx) = cv.0.pop_fun();
            term.update((ctx, cv.1), f)
        })
}

macro_rules! places {
    ($($number:literal)*) => { [$(run::<$number>),*] };
}

#[rustfmt::skip]
static RUN: [Run; PLACES] = places!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
);

fn run<const NUMBER: usize>(mut cv: Cv<'_>) -> Outputs<'_> {
    let codes: &Codes = &cv.0.data().world.codes;
    let term = &codes.terms[NUMBER];
    cv.0.pop_fun();
    let source = term.work.has_source().then(|| cv.0.pop_fun());
    let mut outer: Vec<Value> = (0..term.outer).map(|_| cv.0.pop_var()).collect();
    outer.reverse();
    let mut machine = Machine::new(codes, outer);
    let outputs = |input| {
        let (source, ctx) = source.expect("it is given where there is one");
        source.run((ctx, input))
    };
    match &term.work {
        Work::Once(code) => give(machine.run(code, cv.1)),
        Work::Each(code) => Box::new(outputs(cv.1).map(move |v| Ok(machine.run(code, v?)?))),
        Work::Reduce(init, update) => box_once((|| {
            let mut state = machine.run(init, cv.1.clone())?;
            for item in outputs(cv.1) {
                state = machine.run_with(update, item?, state)?;
            }
            Ok(state)
        })()),
        Work::Foreach(init, update, extract) => {
            let mut state = match machine.run(init, cv.1.clone()) {
                Ok(state) => state,
                failed => return give(failed),
            };
            Box::new(outputs(cv.1).map(move |item| {
                let item = item?;
                let old = std::mem::take(&mut state);
                state = machine.run_with(update, item.clone(), old)?;
                Ok(machine.run_with(extract, item, state.clone())?)
            }))
        }
    }
}

/// What is compiled so far.
#[derive(Default)]
pub struct Compiler<'s> {
    pub codes: Codes,
    /// the numbers of the library's functions that are defined in the language
    library: Vec<(&'static Builtin, usize)>,
    /// the places of terms that were tried in vain
    refused: HashSet<*const Linked<'s>>,
}

impl<'s> Compiler<'s> {
    /// A number for a function, which has to be given before its body is compiled.
    pub fn number(&mut self, library: Option<&'static Builtin>) -> usize {
        let number = self.codes.functions.len();
        self.codes.functions.push(None);
        self.library.extend(library.map(|builtin| (builtin, number)));
        number
    }

    /// Compiles a function, if it has one output; else the terms in its body that have.
    pub fn function(&mut self, number: usize, params: &[&'s str], body: &mut Linked<'s>) {
        // A filter as an argument may have any number of outputs.
        let of_values = params.iter().all(|param| param.starts_with('$'));
        let mut inside = Inside { own: Some(number), locals: params.to_vec(), outer: None, size: 0 };
        let code = if of_values { self.code(body, &mut inside) } else { None };
        // A function can have no variables from around it; a term in it can.
        self.refused.clear();
        match code {
            Some(code) => self.codes.functions[number] = Some(code),
            None => self.mark(body, true),
        }
        self.refused.clear();
    }

    /// Puts calls of code in the place of terms that have one output and run `often`, or call a function.
    pub fn mark(&mut self, term: &mut Linked<'s>, often: bool) {
        if let Some((work, outer)) = self.work(term, often) {
            self.call_directly(term, work, outer, often);
            return;
        }
        match term {
            Term::Arr(Some(t)) | Term::Neg(t) | Term::Label(_, t) | Term::Def(_, t) => self.mark(t, often),
            Term::Str(_, parts) => parts.iter_mut().for_each(|part| {
                if let StrPart::Term(t) = part {
                    self.mark(t, often);
                }
            }),
            Term::Obj(members) => members.iter_mut().for_each(|(key, value)| {
                self.mark(key, often);
                value.iter_mut().for_each(|value| self.mark(value, often));
            }),
            Term::BinOp(l, BinaryOp::Pipe(_), r) => {
                let many = !shape(l).at_most_one;
                self.mark(l, often);
                self.mark(r, often || many);
            }
            Term::BinOp(_, BinaryOp::Update, r) => self.mark(r, true),
            Term::BinOp(_, BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt, r) => self.mark(r, often),
            Term::BinOp(l, _, r) => {
                self.mark(l, often);
                self.mark(r, often);
            }
            Term::TryCatch(body, handler) => {
                self.mark(body, often);
                handler.iter_mut().for_each(|handler| self.mark(handler, often));
            }
            Term::IfThenElse(cases, otherwise) => {
                for (condition, then) in cases {
                    self.mark(condition, often);
                    self.mark(then, often);
                }
                otherwise.iter_mut().for_each(|otherwise| self.mark(otherwise, often));
            }
            Term::Fold(_, source, _, args) => {
                self.mark(source, often);
                for (i, arg) in args.iter_mut().enumerate() {
                    self.mark(arg, often || i > 0);
                }
            }
            Term::Call(Word::Builtin(builtin), args) => {
                for (arg, param) in args.iter_mut().zip(builtin.params) {
                    match param {
                        Param::Value => self.mark(arg, often),
                        Param::Filter => self.mark(arg, true),
                        // The outputs of a path are not needed.
                        Param::Path => {}
                    }
                }
            }
            Term::Call(_, args) => args.iter_mut().for_each(|arg| self.mark(arg, true)),
            Term::Path(base, parts) => {
                self.mark(base, often);
                for (part, _) in &mut parts.0 {
                    match part {
                        Part::Index(i) => self.mark(i, often),
                        Part::Range(from, upto) => {
                            from.iter_mut().chain(upto).for_each(|bound| self.mark(bound, often));
                        }
                    }
                }
            }
            Term::Id | Term::Recurse | Term::Num(_) | Term::Arr(None) | Term::Break(_) | Term::Var(_) => {}
        }
    }

    /// What of a term is worth to be evaluated directly, and the variables from around it.
    fn work(&mut self, term: &Linked<'s>, often: bool) -> Option<(Work, Vec<&'s str>)> {
        if self.codes.terms.len() == PLACES {
            return None;
        }
        let mut inside = Inside { own: None, locals: Vec::new(), outer: Some(Vec::new()), size: 0 };
        let work = match term {
            Term::BinOp(source, BinaryOp::Pipe(None), each) if !shape(source).at_most_one => {
                let code = self.code(each, &mut inside)?;
                if inside.size == 0 {
                    return None;
                }
                Work::Each(code)
            }
            Term::Fold(name, _, Pattern::Var(item), args) => {
                let init = self.code(&args[0], &mut inside)?;
                inside.locals.push(item.text());
                let update = self.code(&args[1], &mut inside)?;
                match (name.text(), args.get(2)) {
                    ("reduce", _) => Work::Reduce(init, update),
                    (_, None) => Work::Foreach(init, update, Code::Input),
                    (_, Some(extract)) => Work::Foreach(init, update, self.code(extract, &mut inside)?),
                }
            }
            Term::Call(Word::Function(..), _) => Work::Once(self.code(term, &mut inside)?),
            term if often => {
                let code = self.code(term, &mut inside)?;
                if inside.size < WORTH_A_CALL {
                    return None;
                }
                Work::Once(code)
            }
            _ => return None,
        };
        Some((work, inside.outer.unwrap_or_default()))
    }

    /// Puts the call of code in the place of the term.
    fn call_directly(&mut self, term: &mut Linked<'s>, work: Work, outer: Vec<&'s str>, often: bool) {
        let source = match term {
            _ if !work.has_source() => None,
            Term::BinOp(source, ..) | Term::Fold(_, source, ..) => Some((**source).clone()),
            _ => unreachable!("nothing else has a source"),
        };
        let word = Word::Direct(self.codes.terms.len(), outer.len());
        self.codes.terms.push(Direct { work, outer: outer.len() });
        let mut args: Vec<_> = outer.into_iter().map(variable).collect();
        args.extend(source.map(|mut source| {
            self.mark(&mut source, often);
            source
        }));
        args.push(std::mem::take(term));
        *term = Term::Call(word, args);
    }

    fn code(&mut self, term: &Linked<'s>, inside: &mut Inside<'s>) -> Option<Code> {
        // A part that was refused once is not compiled again with each of the terms around it.
        let place = std::ptr::from_ref(term);
        if self.refused.contains(&place) {
            return None;
        }
        let code = self.attempt(term, inside);
        if code.is_none() {
            self.refused.insert(place);
        }
        code
    }

    fn both(&mut self, left: &Linked<'s>, right: &Linked<'s>, inside: &mut Inside<'s>) -> Option<Box<(Code, Code)>> {
        Some(Box::new((self.code(left, inside)?, self.code(right, inside)?)))
    }

    fn attempt(&mut self, term: &Linked<'s>, inside: &mut Inside<'s>) -> Option<Code> {
        if !matches!(term, Term::Id | Term::Num(_) | Term::Var(_) | Term::Def(..)) {
            inside.size += 1;
        }
        Some(match term {
            Term::Id => Code::Input,
            Term::Num(text) => Code::Constant(constant(text.text())),
            Term::Arr(None) => Code::Constant(Value::array(Vec::new())),
            Term::Arr(Some(items)) => {
                let mut list = Vec::new();
                self.items(items, inside, &mut list)?;
                Code::List(list)
            }
            Term::Str(_, parts) => self.text(parts, inside)?,
            Term::Neg(t) => match self.code(t, inside)? {
                Code::Constant(number) => Code::Constant(negate(number).ok()?),
                code => Code::Negation(Box::new(code)),
            },
            Term::Obj(members) => {
                let member = |(key, value): &(Linked<'s>, Option<Linked<'s>>)| {
                    Some((self.code(key, inside)?, self.code(value.as_ref()?, inside)?))
                };
                Code::Object(members.iter().map(member).collect::<Option<_>>()?)
            }
            Term::BinOp(l, op, r) => match op {
                BinaryOp::Pipe(None) => match (self.code(l, inside)?, self.code(r, inside)?) {
                    (Code::Input, right) => right,
                    (left, Code::Input) => left,
                    both => Code::Then(Box::new(both)),
                },
                BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                    let bound = self.code(l, inside)?;
                    inside.locals.push(name.text());
                    let rest = self.code(r, inside);
                    inside.locals.pop();
                    Code::Bind(Box::new((bound, rest?)))
                }
                BinaryOp::Pipe(Some(_)) | BinaryOp::Comma => return None,
                BinaryOp::Math(math) => Code::Math(*math, self.both(l, r, inside)?),
                BinaryOp::Cmp(cmp) => Code::Comparison(*cmp, self.both(l, r, inside)?),
                BinaryOp::And => Code::And(self.both(l, r, inside)?),
                BinaryOp::Or => Code::Or(self.both(l, r, inside)?),
                BinaryOp::Alt => Code::Alternative(self.both(l, r, inside)?),
                BinaryOp::Assign => self.change(l, How::Set, r, inside)?,
                BinaryOp::Update => self.change(l, How::Map, r, inside)?,
                BinaryOp::UpdateMath(math) => self.change(l, How::Math(*math), r, inside)?,
                BinaryOp::UpdateAlt => self.change(l, How::Alternative, r, inside)?,
            },
            Term::IfThenElse(cases, otherwise) => {
                let rest = match otherwise {
                    Some(otherwise) => self.code(otherwise, inside)?,
                    None => Code::Input,
                };
                cases.iter().rev().try_fold(rest, |rest, (condition, then)| {
                    let parts = (self.code(condition, inside)?, self.code(then, inside)?, rest);
                    Some(Code::Choice(Box::new(parts)))
                })?
            }
            Term::TryCatch(body, handler) => Code::Try(self.both(body, handler.as_ref()?, inside)?),
            Term::Def(_, body) => self.code(body, inside)?,
            Term::Var(Word::Global(_, number)) => Code::Global(*number),
            Term::Var(name) => inside.variable(name.text())?,
            Term::Path(base, parts) => self.steps(base, &parts.0, inside)?,
            Term::Call(word, args) => self.call(*word, args, inside)?,
            Term::Recurse | Term::Label(..) | Term::Break(_) | Term::Fold(..) => return None,
        })
    }

    /// The elements of a list that has a certain length.
    fn items(&mut self, term: &Linked<'s>, inside: &mut Inside<'s>, list: &mut Vec<Code>) -> Option<()> {
        match term {
            Term::BinOp(l, BinaryOp::Comma, r) => {
                self.items(l, inside, list)?;
                self.items(r, inside, list)?;
            }
            item => list.push(self.code(item, inside)?),
        }
        Some(())
    }

    fn text(&mut self, parts: &[StrPart<Word<'s>, Linked<'s>>], inside: &mut Inside<'s>) -> Option<Code> {
        let mut all = Vec::new();
        let mut literal = String::new();
        for part in parts {
            match part {
                StrPart::Str(text) => literal.push_str(text.text()),
                StrPart::Char(c) => literal.push(*c),
                StrPart::Term(t) => {
                    if !literal.is_empty() {
                        all.push(Code::Constant(Value::from(std::mem::take(&mut literal))));
                    }
                    all.push(self.code(t, inside)?);
                }
            }
        }
        if all.is_empty() {
            return Some(Code::Constant(Value::from(literal)));
        }
        if !literal.is_empty() {
            all.push(Code::Constant(Value::from(literal)));
        }
        Some(Code::Text(all))
    }

    fn steps(&mut self, base: &Linked<'s>, parts: &[(Part<Linked<'s>>, Opt)], inside: &mut Inside<'s>) -> Option<Code> {
        let mut code = self.code(base, inside)?;
        for (part, opt) in parts {
            code = match (part, opt) {
                (Part::Index(key), Opt::Essential) => Code::Index(Box::new((code, self.code(key, inside)?))),
                (Part::Range(None, None), _) | (_, Opt::Optional) => return None,
                (Part::Range(from, upto), Opt::Essential) => {
                    let mut bound = |bound: &Option<Linked<'s>>| {
                        // No bound is fine, one that cannot be compiled is not.
                        bound.as_ref().map_or(Some(None), |bound| self.code(bound, inside).map(Some))
                    };
                    let (from, upto) = (bound(from)?, bound(upto)?);
                    Code::Slice(Box::new((code, from, upto)))
                }
            };
        }
        Some(code)
    }

    /// An update of one place that is named by keys.
    fn change(&mut self, place: &Linked<'s>, how: How, by: &Linked<'s>, inside: &mut Inside<'s>) -> Option<Code> {
        let Term::Path(base, parts) = place else { return None };
        if !matches!(**base, Term::Id) {
            return None;
        }
        let by = self.code(by, inside)?;
        let key = |(part, opt): &(Part<Linked<'s>>, Opt)| match (part, opt) {
            (Part::Index(key), Opt::Essential) => self.code(key, inside),
            _ => None,
        };
        let keys = parts.0.iter().map(key).collect::<Option<_>>()?;
        Some(Code::Change(Box::new(Change { keys, how, by })))
    }

    fn call(&mut self, word: Word<'s>, args: &[Linked<'s>], inside: &mut Inside<'s>) -> Option<Code> {
        let number = match word {
            Word::Function(_, number) => number,
            Word::Builtin(builtin) => match builtin.body {
                // Calls look at the stack by themselves.
                _ if *builtin == GUARD => return Some(Code::Input),
                _ if *builtin == MODIFY => return self.change(&args[0], How::Map, &args[1], inside),
                _ if *builtin == ASSIGN => return self.change(&args[0], How::Set, &args[1], inside),
                Body::Plain(f, _) => return Some(Code::Plain(f)),
                Body::Unary(f, _) => return Some(Code::Unary(f, Box::new(self.code(&args[0], inside)?))),
                Body::Defined(_) => self.library.iter().find(|(known, _)| *known == builtin)?.1,
                Body::Run(_) | Body::Leading(_) | Body::Core(_) => return None,
            },
            Word::Text(_) | Word::Global(..) | Word::Direct(..) => return None,
        };
        if inside.own != Some(number) && self.codes.functions[number].is_none() {
            return None;
        }
        let args = args.iter().map(|arg| self.code(arg, inside)).collect::<Option<_>>()?;
        Some(Code::Call(number, args))
    }
}

/// Fewer operations cost less in jaq-core than the call of a native function.
const WORTH_A_CALL: usize = 3;

/// The surroundings of a term that is compiled.
struct Inside<'s> {
    /// the function that is being compiled, which may call itself
    own: Option<usize>,
    locals: Vec<&'s str>,
    /// variables from around the term; functions can have none
    outer: Option<Vec<&'s str>>,
    /// how many operations there are
    size: usize,
}

impl<'s> Inside<'s> {
    fn variable(&mut self, name: &'s str) -> Option<Code> {
        if let Some(i) = self.locals.iter().rposition(|local| *local == name) {
            return Some(Code::Local(i));
        }
        let outer = self.outer.as_mut()?;
        Some(match outer.iter().position(|known| *known == name) {
            Some(i) => Code::Outer(i),
            None => {
                outer.push(name);
                Code::Outer(outer.len() - 1)
            }
        })
    }
}
