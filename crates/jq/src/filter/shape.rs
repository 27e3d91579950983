//! What can be said of a term before it runs: how many outputs it has, and whether evaluating it can fail.

use super::builtin::{Count, Param};
use super::term::{Linked, Word, is_constant, is_plain_text};
use super::values::{INFINITE, NAN};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Opt, Part};

/// How many outputs a term has.
#[derive(Clone, Copy)]
pub struct Shape {
    pub at_least_one: bool,
    pub at_most_one: bool,
}

const ONE: Shape = Shape { at_least_one: true, at_most_one: true };
const ANY: Shape = Shape { at_least_one: false, at_most_one: false };

impl Shape {
    fn and(self, other: Self) -> Self {
        Self {
            at_least_one: self.at_least_one && other.at_least_one,
            at_most_one: self.at_most_one && other.at_most_one,
        }
    }

    pub fn one(self) -> bool {
        self.at_least_one && self.at_most_one
    }
}

pub fn shape(term: &Linked<'_>) -> Shape {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::Var(_) => ONE,
        Term::Str(_, parts) => parts.iter().fold(ONE, |total, part| match part {
            StrPart::Term(t) => total.and(shape(t)),
            _ => total,
        }),
        Term::Neg(t) => shape(t),
        Term::Obj(members) => {
            let member = |(k, v): &(Linked<'_>, Option<Linked<'_>>)| shape(k).and(v.as_ref().map_or(ONE, shape));
            members.iter().map(member).fold(ONE, Shape::and)
        }
        Term::BinOp(l, op, r) => operation(l, op, r),
        Term::IfThenElse(cases, otherwise) => {
            let rest = otherwise.as_ref().map_or(ONE, |t| shape(t));
            cases.iter().fold(rest, |total, (c, t)| total.and(shape(c)).and(shape(t)))
        }
        Term::Fold(name, _, _, args) if name.text() == "reduce" => shape(&args[0]),
        Term::TryCatch(body, handler) => match handler {
            Some(handler) => shape(body).and(shape(handler)),
            None => Shape { at_least_one: false, ..shape(body) },
        },
        Term::Def(_, body) => shape(body),
        Term::Call(Word::Builtin(builtin), args) => {
            let product = |args: &mut dyn Iterator<Item = &Linked<'_>>| args.map(shape).fold(ONE, Shape::and);
            let values = || {
                let kinds = args.iter().zip(builtin.params);
                product(&mut kinds.filter(|(_, param)| **param == Param::Value).map(|(arg, _)| arg))
            };
            match builtin.outputs {
                Count::None => Shape { at_least_one: false, at_most_one: true },
                Count::One => values(),
                Count::Selected => Shape { at_least_one: false, at_most_one: shape(&args[0]).at_most_one },
                Count::First => {
                    let all = product(&mut args.iter());
                    Shape { at_most_one: values().at_most_one, ..all }
                }
                Count::AsArgument => product(&mut args.iter()),
                Count::Any => ANY,
            }
        }
        Term::Path(base, parts) => {
            let part = |total: Shape, (part, opt): &(Part<Linked<'_>>, Opt)| {
                let total = total.and(match part {
                    Part::Index(i) => shape(i),
                    Part::Range(None, None) => ANY,
                    Part::Range(from, upto) => {
                        let bound = |t: &Option<Linked<'_>>| t.as_ref().map_or(ONE, shape);
                        bound(from).and(bound(upto))
                    }
                });
                let essential = matches!(opt, Opt::Essential);
                Shape { at_least_one: total.at_least_one && essential, ..total }
            };
            parts.0.iter().fold(shape(base), part)
        }
        _ => ANY,
    }
}

fn operation(left: &Linked<'_>, op: &BinaryOp<Word<'_>>, right: &Linked<'_>) -> Shape {
    let both = || shape(left).and(shape(right));
    match op {
        BinaryOp::Pipe(None | Some(Pattern::Var(_))) => both(),
        BinaryOp::Pipe(Some(pattern)) if has_plain_keys(pattern) => both(),
        BinaryOp::Math(_) | BinaryOp::Cmp(_) | BinaryOp::Or | BinaryOp::And => both(),
        BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => shape(right),
        BinaryOp::Update => ONE,
        BinaryOp::Alt => {
            let (l, r) = (shape(left), shape(right));
            Shape { at_least_one: r.at_least_one, at_most_one: l.at_most_one && r.at_most_one }
        }
        _ => ANY,
    }
}

/// True for patterns whose keys are constants.
fn has_plain_keys(pattern: &Pattern<Word<'_>>) -> bool {
    match pattern {
        Pattern::Var(_) => true,
        Pattern::Arr(elements) => elements.iter().all(has_plain_keys),
        Pattern::Obj(members) => members.iter().all(|(k, p)| is_constant(k) && has_plain_keys(p)),
    }
}

/// True if evaluating cannot fail.
pub fn is_safe(term: &Linked<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(None) => true,
        Term::Str(_, parts) => is_plain_text(parts),
        Term::Call(Word::Builtin(builtin), _) => **builtin == NAN || **builtin == INFINITE,
        Term::Neg(t) => matches!(**t, Term::Num(_)),
        _ => false,
    }
}

/// True for terms that surely have one output.
pub fn is_fixed(term: &Linked<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) => true,
        Term::Str(_, parts) => is_plain_text(parts),
        Term::Neg(t) => is_fixed(t),
        Term::BinOp(l, op, r) => {
            let plain = matches!(
                op,
                BinaryOp::Pipe(None) | BinaryOp::Math(_) | BinaryOp::Cmp(_) | BinaryOp::And | BinaryOp::Or
            );
            plain && is_fixed(l) && is_fixed(r)
        }
        Term::Path(base, parts) => {
            let fixed = |(part, opt): &(Part<Linked<'_>>, Opt)| {
                matches!(opt, Opt::Essential) && is_fixed_part(part) && !matches!(part, Part::Range(None, None))
            };
            is_fixed(base) && parts.0.iter().all(fixed)
        }
        Term::Call(Word::Builtin(builtin), args) => args.is_empty() && builtin.outputs == Count::One,
        _ => false,
    }
}

/// True for parts of a path that name one place, or all places.
pub fn is_fixed_part(part: &Part<Linked<'_>>) -> bool {
    match part {
        Part::Index(i) => is_fixed(i),
        Part::Range(None, None) => true,
        Part::Range(from, upto) => from.as_ref().is_none_or(is_fixed) && upto.as_ref().is_none_or(is_fixed),
    }
}
