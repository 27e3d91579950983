//! jq's order of evaluation, in jaq-core's terms: arguments and operands from the right, indices before what is indexed.
//!
//! It shows where several parts of a term have several outputs, and in which error comes first. Where it cannot show the
//! term stays as it is; elsewhere what is to be evaluated first is bound to a variable.

use super::builtin::{Body, Builtin, Param};
use super::parse::Names;
use super::shape::{is_fixed, is_safe, shape};
use super::term::{Linked, Word, array, binary, bind, call, extend, is_constant, null, path, pipe, variable};
use super::{control, values};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part, Path};

/// Values for several arguments are tried with the last one in the outer loop: that shows in several outputs, and
/// where one has an error and another has none.
pub fn arguments<'s>(names: &'s Names, builtin: &'static Builtin, args: Vec<Linked<'s>>) -> Linked<'s> {
    let values = builtin.params.iter().all(|param| *param == Param::Value);
    let defined = matches!(builtin.body, Body::Defined(_));
    if defined || !values || args.iter().filter(|a| !is_safe(a)).count() < 2 {
        return call(builtin, args);
    }
    let variables: Vec<_> = args.iter().map(|_| names.variable()).collect();
    let outer = call(builtin, variables.iter().map(|v| variable(v)).collect());
    variables.into_iter().zip(args).fold(outer, |rest, (v, arg)| bind(arg, v, rest))
}

pub fn string<'s>(names: &'s Names, mut parts: Vec<StrPart<Word<'s>, Linked<'s>>>) -> Linked<'s> {
    let terms = || {
        parts.iter().filter_map(|part| match part {
            StrPart::Term(t) => Some(t),
            _ => None,
        })
    };
    let several = terms().filter(|t| !shape(t).at_most_one).count();
    let unsafe_ones = terms().filter(|t| !is_safe(t)).count();
    if several < 2 && unsafe_ones < 2 {
        return Term::Str(None, parts);
    }
    // The last one is the outer loop.
    let mut bound = Vec::new();
    for part in &mut parts {
        if let StrPart::Term(t) = part {
            let name = names.variable();
            bound.push((name, std::mem::replace(t, variable(name))));
        }
    }
    bound.into_iter().fold(Term::Str(None, parts), |rest, (name, t)| bind(t, name, rest))
}

pub fn object<'s>(names: &'s Names, members: Vec<(Linked<'s>, Option<Linked<'s>>)>) -> Linked<'s> {
    let mut ordered = Vec::with_capacity(members.len());
    let mut bound = Vec::new();
    for (key, value) in members {
        match value {
            Some(_) => ordered.push((key, value)),
            None if is_constant(&key) => ordered.push((key, None)),
            None => {
                // `{"a\(f)"}` must not evaluate its key twice.
                let name = names.variable();
                let value = path(Term::Id, Part::Index(variable(name)), Opt::Essential);
                ordered.push((variable(name), Some(value)));
                bound.push((name, key));
            }
        }
    }
    // Errors count even where another member has no output: then one after the other.
    let some = |t: &Linked<'s>| shape(t).at_least_one;
    let all = ordered.iter().all(|(k, v)| some(k) && v.as_ref().is_none_or(some));
    if !all && ordered.len() > 1 {
        for (key, value) in &mut ordered {
            for term in [Some(key), value.as_mut()].into_iter().flatten() {
                if !is_constant(term) && !is_safe(term) {
                    let name = names.variable();
                    bound.push((name, std::mem::replace(term, variable(name))));
                }
            }
        }
    }
    bound.into_iter().rev().fold(Term::Obj(ordered), |rest, (name, key)| bind(key, name, rest))
}

/// Indices are the outer loop, what is indexed the inner one.
pub fn steps<'s>(names: &'s Names, base: Linked<'s>, parts: Path<Linked<'s>>) -> Linked<'s> {
    parts.0.into_iter().fold(base, |base, (part, opt)| match part {
        Part::Index(i) if !is_fixed(&i) && !is_safe(&base) => {
            let name = names.variable();
            bind(i, name, extend(base, Part::Index(variable(name)), opt))
        }
        Part::Range(from, upto) => {
            let fixed = |bound: &Option<Linked<'s>>| bound.as_ref().is_none_or(is_fixed);
            match is_safe(&base) || fixed(&from) && fixed(&upto) {
                true => extend(base, Part::Range(from, upto), opt),
                false => outer_bounds(names, base, from, upto, opt),
            }
        }
        part => extend(base, part, opt),
    })
}

/// `base[from:upto]` with the bounds evaluated before the base.
fn outer_bounds<'s>(
    names: &'s Names,
    base: Linked<'s>,
    from: Option<Linked<'s>>,
    upto: Option<Linked<'s>>,
    opt: Opt,
) -> Linked<'s> {
    let name = |bound: &Option<Linked<'s>>| bound.as_ref().map(|_| names.variable());
    let (first, last) = (name(&from), name(&upto));
    let slice = extend(base, Part::Range(first.map(variable), last.map(variable)), opt);
    let outer = |rest, name: Option<&'s str>, bound: Option<Linked<'s>>| match (name, bound) {
        (Some(name), Some(bound)) => bind(bound, name, rest),
        _ => rest,
    };
    outer(outer(slice, last, upto), first, from)
}

/// jq evaluates the right operand first: that shows in several outputs and in errors.
fn order_matters(left: &Linked<'_>, right: &Linked<'_>) -> bool {
    let both = !shape(left).at_most_one && !shape(right).at_most_one;
    both || !is_safe(left) && !is_safe(right)
}

/// A calculation or a comparison.
pub fn operation<'s>(names: &'s Names, left: Linked<'s>, op: BinaryOp<Word<'s>>, right: Linked<'s>) -> Linked<'s> {
    if !order_matters(&left, &right) {
        return binary(left, op, right);
    }
    // Without outputs on one side jaq-core would not see an error on the other.
    match op {
        BinaryOp::Cmp(cmp) if shape(&left).at_least_one && shape(&right).at_least_one => {
            binary(right, BinaryOp::Cmp(mirrored(cmp)), left)
        }
        op => {
            let name = names.variable();
            bind(right, name, binary(left, op, variable(name)))
        }
    }
}

fn mirrored(cmp: Cmp) -> Cmp {
    match cmp {
        Cmp::Lt => Cmp::Gt,
        Cmp::Gt => Cmp::Lt,
        Cmp::Le => Cmp::Ge,
        Cmp::Ge => Cmp::Le,
        same => same,
    }
}

/// Of `[value]` the value; `[null, error]` fails with the error.
fn outcome<'s>() -> Linked<'s> {
    let at = |i| path(Term::Id, Part::Index(Term::Num(Word::Text(i))), Opt::Essential);
    let two = binary(call(&values::LENGTH, Vec::new()), BinaryOp::Cmp(Cmp::Eq), Term::Num(Word::Text("2")));
    let failed = pipe(at("1"), call(&control::ERROR, Vec::new()));
    Term::IfThenElse(vec![(two, failed)], Some(Box::new(at("0"))))
}

/// `reduce` and `foreach`, whose update may have no output, or several.
pub fn fold<'s>(
    name: Word<'s>,
    source: Linked<'s>,
    pattern: Pattern<Word<'s>>,
    init: Linked<'s>,
    update: Linked<'s>,
    extract: Option<Linked<'s>>,
) -> Linked<'s> {
    let args = if shape(&update).one() {
        [init, update].into_iter().chain(extract).collect()
    } else if name.text() == "reduce" {
        vec![init, call(&control::LAST_OR_NULL, vec![update])]
    } else {
        // The state is an array of all outputs; the last one is what the next update sees. An error is kept among
        // them, so that what was given before it is given.
        let last = Part::Index(Term::Neg(Box::new(Term::Num(Word::Text("1")))));
        let last = pipe(path(Term::Id, last, Opt::Essential), outcome());
        let each = pipe(path(Term::Id, Part::Range(None, None), Opt::Essential), outcome());
        let failed = array(binary(null(), BinaryOp::Comma, Term::Id));
        let outcomes = Term::TryCatch(Box::new(pipe(update, array(Term::Id))), Some(Box::new(failed)));
        let each = match extract {
            Some(extract) => pipe(each, extract),
            None => each,
        };
        vec![pipe(init, array(array(Term::Id))), pipe(last, array(outcomes)), each]
    };
    Term::Fold(name, Box::new(source), pattern, args)
}

/// `label $name | body`, where one place breaks to it. `label $out | f | ., break $out` is how `first(f)` used to be
/// written, and is still found in programs.
pub fn label<'s>(name: Word<'s>, body: Linked<'s>) -> Linked<'s> {
    match before_break(body) {
        Ok(many) => call(&control::FIRST, vec![many]),
        Err(body) => Term::Label(name, Box::new(body)),
    }
}

/// What stands before a last `., break $name`; the term itself if it does not end so.
fn before_break(term: Linked<'_>) -> Result<Linked<'_>, Linked<'_>> {
    match term {
        Term::BinOp(l, BinaryOp::Pipe(None), r) => match *r {
            Term::BinOp(id, BinaryOp::Comma, end) if matches!((&*id, &*end), (Term::Id, Term::Break(_))) => Ok(*l),
            r => match before_break(r) {
                Ok(r) => Ok(pipe(*l, r)),
                Err(r) => Err(pipe(*l, r)),
            },
        },
        other => Err(other),
    }
}
