//! Updates (`|=`, `=`, `+=`, …) and the paths that they go along: which of them jaq-core does as jq does, and what the
//! others become.
//!
//! jaq-core updates from the top down, jq sets path by path. Both give the same where every step names its place
//! ([`is_simple`]); elsewhere the library does jq's way (`paths`).

use super::builtin::Leads;
use super::definitions::{FIRST_ELEMENT, LAST_ELEMENT, SELECT};
use super::parse::Names;
use super::shape::{is_fixed, is_fixed_part, shape};
use super::term::{Linked, Word, binary, bind, call, called, null, pipe, text, variable};
use super::{control, paths};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

/// `left op right` for an operator that updates.
pub fn update<'s>(names: &'s Names, left: Linked<'s>, op: BinaryOp<Word<'s>>, right: Linked<'s>) -> Linked<'s> {
    let simple = is_simple(&left);
    match op {
        BinaryOp::Update => modify(left, right),
        op if simple => binary(left, op, right),
        BinaryOp::UpdateMath(math) => {
            let name = names.variable();
            bind(right, name, modify(left, binary(Term::Id, BinaryOp::Math(math), variable(name))))
        }
        BinaryOp::UpdateAlt => {
            let name = names.variable();
            bind(right, name, modify(left, binary(Term::Id, BinaryOp::Alt, variable(name))))
        }
        _ => call(&paths::ASSIGN, vec![as_path(left, false), right]),
    }
}

/// `left |= right`: jaq-core's updates where they give what jq's path by path does.
fn modify<'s>(left: Linked<'s>, right: Linked<'s>) -> Linked<'s> {
    let outputs = shape(&right);
    if !is_simple(&left) || !outputs.at_least_one && !keeps_order(&left) {
        return call(&paths::MODIFY, vec![as_path(left, false), right]);
    }
    let right = match outputs.at_most_one {
        true => right,
        false => call(&control::FIRST, vec![right]),
    };
    binary(left, BinaryOp::Update, right)
}

/// Terms that lead nowhere in a path are marked, so that what is done with their value fails
/// with jq's message; `lost` says that the term's input is such a value.
pub fn as_path<'s>(term: Linked<'s>, lost: bool) -> Linked<'s> {
    let boxed = |t: Box<Linked<'s>>, lost| Box::new(as_path(*t, lost));
    match term {
        Term::Num(_) | Term::Str(..) | Term::Arr(_) | Term::Obj(_) | Term::Neg(_) | Term::Var(_) => off_path(term),
        Term::BinOp(l, op, r) => match op {
            BinaryOp::Pipe(None) => {
                let l = boxed(l, lost);
                let lost = may_be_lost(&l, lost);
                let r = boxed(r, lost);
                Term::BinOp(l, op, r)
            }
            BinaryOp::Pipe(Some(_)) => Term::BinOp(l, op, boxed(r, lost)),
            BinaryOp::Alt => call(&paths::ALTERNATIVE, vec![as_path(*l, lost), as_path(*r, lost)]),
            BinaryOp::Comma => Term::BinOp(boxed(l, lost), op, boxed(r, lost)),
            _ => off_path(Term::BinOp(l, op, r)),
        },
        Term::IfThenElse(cases, otherwise) => {
            let cases = cases.into_iter().map(|(c, t)| (c, as_path(t, lost))).collect();
            Term::IfThenElse(cases, otherwise.map(|t| boxed(t, lost)))
        }
        Term::TryCatch(t, handler) => {
            // The output of a handler is not a path.
            let fails = |h: Box<Linked<'s>>| Box::new(pipe(*h, call(&paths::NO_PATH, Vec::new())));
            Term::TryCatch(boxed(t, lost), handler.map(fails))
        }
        Term::Label(name, t) => Term::Label(name, boxed(t, lost)),
        Term::Def(functions, t) => Term::Def(functions, boxed(t, lost)),
        Term::Path(base, parts) => {
            let base = as_path(*base, lost);
            let lost = may_be_lost(&base, lost);
            let base = match parts.0.first() {
                Some((part, _)) if lost => refused_step(base, part),
                _ => base,
            };
            Term::Path(Box::new(base), parts)
        }
        Term::Call(Word::Builtin(builtin), mut args) => match (builtin.leads, args.pop()) {
            (Leads::AlongLast, Some(last)) => {
                args.push(as_path(last, lost));
                call(builtin, args)
            }
            (leads, last) => {
                args.extend(last);
                let term = call(builtin, args);
                if leads == Leads::Nowhere { off_path(term) } else { term }
            }
        },
        Term::Fold(name, ..) if name.text() == "reduce" => off_path(term),
        other => other,
    }
}

fn off_path(term: Linked<'_>) -> Linked<'_> {
    call(&paths::OFF_PATH, vec![term])
}

/// The base of a path whose first step begins at what may have no path.
fn refused_step<'s>(base: Linked<'s>, step: &Part<Linked<'s>>) -> Linked<'s> {
    let key = match step {
        Part::Index(i) => i.clone(),
        Part::Range(None, None) => return call(&paths::NOT_ITERABLE, vec![base]),
        Part::Range(from, upto) => {
            let bound = |b: &Option<Linked<'s>>| Some(b.clone().unwrap_or_else(null));
            let key = |name| text(Word::Text(name));
            Term::Obj(vec![(key("start"), bound(from)), (key("end"), bound(upto))])
        }
    };
    call(&paths::NO_ELEMENT, vec![base, key])
}

/// True for terms whose output may have no path; `lost` says so of their input.
fn may_be_lost(term: &Linked<'_>, lost: bool) -> bool {
    match term {
        Term::Call(Word::Builtin(builtin), args) => match builtin.leads {
            _ if **builtin == paths::OFF_PATH => true,
            Leads::AlongLast => args.last().map_or(lost, |last| may_be_lost(last, lost)),
            Leads::Somewhere | Leads::Nowhere => lost || args.iter().any(|arg| may_be_lost(arg, false)),
        },
        Term::BinOp(l, BinaryOp::Comma, r) => may_be_lost(l, lost) || may_be_lost(r, lost),
        Term::BinOp(l, BinaryOp::Pipe(None), r) => may_be_lost(r, may_be_lost(l, lost)),
        Term::BinOp(_, BinaryOp::Pipe(Some(_)), t) | Term::Def(_, t) | Term::Label(_, t) | Term::TryCatch(t, _) => {
            may_be_lost(t, lost)
        }
        Term::IfThenElse(cases, rest) => {
            let rest = rest.as_ref().map_or(lost, |t| may_be_lost(t, lost));
            rest || cases.iter().any(|(_, t)| may_be_lost(t, lost))
        }
        // A step from what has no path is refused.
        Term::Path(..) => false,
        _ => lost,
    }
}

/// True for paths of fields, indices, slices, iteration and selection: there jaq-core's way of
/// updating, from the top down, gives what setting path by path gives.
///
/// A place that may be missing must not come to be by being looked at: after a field or an index
/// nothing may follow that can lead nowhere (`select`, `[]?`).
fn is_simple(term: &Linked<'_>) -> bool {
    follow(term, true).is_some()
}

/// Whether what a simple path leads to is surely there; `present` says so of its input.
fn follow(term: &Linked<'_>, present: bool) -> Option<bool> {
    match term {
        Term::Id => Some(present),
        Term::Path(base, parts) => {
            let step = |present: bool, (part, opt): &(Part<Linked<'_>>, Opt)| match (part, opt) {
                (Part::Range(None, None), Opt::Optional) if !present => None,
                (Part::Range(None, None), _) => Some(true),
                (part, _) => is_fixed_part(part).then_some(false),
            };
            parts.0.iter().try_fold(follow(base, present)?, step)
        }
        Term::BinOp(l, BinaryOp::Pipe(None), r) => follow(r, follow(l, present)?),
        term => match called(term)? {
            (builtin, [condition]) if *builtin == SELECT => (present && is_fixed(condition)).then_some(true),
            (builtin, _) if *builtin == FIRST_ELEMENT || *builtin == LAST_ELEMENT => Some(false),
            _ => None,
        },
    }
}

/// True if removing what has no output, as it comes, is the same as removing it in the end: what is removed is a member
/// or an element, never the input itself, no slice or index can be moved by it, and nothing comes to be on the way there.
fn keeps_order(term: &Linked<'_>) -> bool {
    let mut steps = Vec::new();
    list_steps(term, &mut steps);
    let making = steps.windows(2).any(|pair| pair == [Step::Key, Step::Key]);
    !steps.is_empty() && !steps.contains(&Step::Slice) && !making
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Key,
    Slice,
    Each,
}

/// The steps of a simple path, of which a condition is none.
fn list_steps(term: &Linked<'_>, steps: &mut Vec<Step>) {
    match term {
        Term::Path(base, parts) => {
            list_steps(base, steps);
            steps.extend(parts.0.iter().map(|(part, _)| match part {
                Part::Index(_) => Step::Key,
                Part::Range(None, None) => Step::Each,
                Part::Range(..) => Step::Slice,
            }));
        }
        Term::BinOp(l, BinaryOp::Pipe(None), r) => {
            list_steps(l, steps);
            list_steps(r, steps);
        }
        term if called(term).is_some_and(|(b, _)| *b == FIRST_ELEMENT || *b == LAST_ELEMENT) => steps.push(Step::Key),
        _ => {}
    }
}
