//! From parsed terms to a program for jaq-core: finds what every name means, takes in only the
//! definitions that the program reaches, and writes down in jaq-core's terms what jq does
//! differently (order of evaluation, updates through paths, `reduce` without output).

use super::engine::Engine;
use super::modules::Units;
use super::parse::{Expr, Function, Names, Parser, SyntaxError, binary, path, pipe};
use super::{definitions, natives};
use crate::value::Value;
use jaq_core::Native;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part, Path};

/// What is wrong in which text.
pub struct LinkError {
    /// the index of the unit; `None` for what has no place
    pub unit: Option<usize>,
    pub error: SyntaxError,
}

type Linked<T> = Result<T, LinkError>;

/// What a name can stand for inside a text.
enum Local<'s> {
    Function {
        name: &'s str,
        arity: usize,
        /// what the definition is called in the linked program
        unique: &'s str,
        open: bool,
        recursive: bool,
    },
    Parameter(&'s str),
    /// `$a` of `def f($a)`, which may be called as `a` as well: then it gives all values of the argument
    ValueParameter {
        name: &'s str,
        called: bool,
    },
    Variable(&'s str),
    Label(&'s str),
}

/// Which text a term stands in, and the names around it.
struct Scope<'s> {
    /// `None` for the engine's own definitions
    unit: Option<usize>,
    /// of a module's functions, those before this one can be called
    before: usize,
    locals: Vec<Local<'s>>,
}

/// A native function with the name and the arguments that jaq-core is to know it by.
type NamedNative<'s> = (&'s str, Box<[jaq_core::Bind]>, Native<Engine>);

pub struct Linker<'s> {
    names: &'s Names,
    pub units: Units<'s>,
    /// definitions in an order in which each stands before its callers
    pub prelude: Vec<Function<'s>>,
    pub natives: Vec<NamedNative<'s>>,
    known: Vec<(String, usize)>,
    /// variables of the whole program that are used, with their values
    pub globals: Vec<(&'s str, Value)>,
    /// variables that may be used
    variables: &'s [(String, Value)],
}

/// How many outputs a term has.
#[derive(Clone, Copy)]
struct Shape {
    at_least_one: bool,
    at_most_one: bool,
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

    fn one(self) -> bool {
        self.at_least_one && self.at_most_one
    }
}

impl<'s> Linker<'s> {
    pub fn new(names: &'s Names, units: Units<'s>, variables: &'s [(String, Value)]) -> Self {
        Self {
            names,
            units,
            prelude: Vec::new(),
            natives: Vec::new(),
            known: Vec::new(),
            globals: Vec::new(),
            variables,
        }
    }

    /// Links the main program, which then is the definition of that name.
    pub fn main(&mut self, unit: usize, name: &'s str) -> Linked<()> {
        let functions = self.units.take_functions(unit);
        let main = self.units.take_main(unit).expect("a program without one was refused when it was read");
        let body = functions.into_iter().rev().fold(main, |rest, function| Term::Def(vec![function], Box::new(rest)));
        let mut scope = Scope { unit: Some(unit), before: 0, locals: Vec::new() };
        let body = self.term(body, &mut scope)?;
        self.prelude.push(Function { name, args: Vec::new(), body });
        Ok(())
    }

    fn fail<T>(&self, scope: &Scope<'s>, at: &str, what: String) -> Linked<T> {
        let (start, end) = scope.unit.map_or((0, 0), |unit| self.units.place(unit, at));
        Err(LinkError { unit: scope.unit, error: SyntaxError { what, start, end } })
    }

    // Names

    fn call(&mut self, name: &'s str, args: Vec<Expr<'s>>, scope: &mut Scope<'s>) -> Linked<Expr<'s>> {
        let arity = args.len();
        // Parameters and local functions, the innermost first.
        let found = scope.locals.iter_mut().rev().find_map(|local| match local {
            Local::Function { name: n, arity: a, unique, open, recursive } if *n == name && *a == arity => {
                *recursive |= *open;
                Some(*unique)
            }
            Local::Parameter(n) if *n == name && arity == 0 => Some(name),
            Local::ValueParameter { name: v, called } if arity == 0 && v.strip_prefix('$') == Some(name) => {
                *called = true;
                Some(name)
            }
            _ => None,
        });
        if let Some(target) = found {
            return Ok(Term::Call(target, self.terms(args, scope)?));
        }
        let Some(target) = self.global(name, arity, scope)? else {
            if let Some(format) = name.strip_prefix('@') {
                // An error when it runs, as in jq.
                let what = self.names.keep(format!("{format} is not a valid format"));
                let message = super::parse::text(what);
                return self.call("error", vec![message], &mut Scope { unit: None, before: 0, locals: Vec::new() });
            }
            return self.fail(scope, name, format!("{name}/{arity} is not defined"));
        };
        let mut args = self.terms(args, scope)?;
        if matches!(target, "%path" | "%del" | "%pick") {
            args[0] = self.path_argument(std::mem::take(&mut args[0]), false);
        }
        Ok(self.ordered_call(target, args))
    }

    /// Values for several arguments are tried with the last one in the outer loop: that shows in several outputs, and
    /// where one has an error and another has none.
    fn ordered_call(&self, target: &'s str, args: Vec<Expr<'s>>) -> Expr<'s> {
        let unsafe_ones = args.iter().filter(|a| !is_safe(a)).count();
        let kinds = natives::find(target.trim_start_matches('%'), args.len());
        if unsafe_ones < 2 || kinds.is_none_or(|k| k.contains('f')) {
            return Term::Call(target, args);
        }
        let variables: Vec<_> = args.iter().map(|_| self.names.variable()).collect();
        let call = Term::Call(target, variables.iter().map(|v| Term::Var(*v)).collect());
        variables.into_iter().zip(args).fold(call, |rest, (v, arg)| bind(arg, v, rest))
    }

    /// A function outside of the current one: of this module, an imported one or the library.
    fn global(&mut self, name: &'s str, arity: usize, scope: &Scope<'s>) -> Linked<Option<&'s str>> {
        if let Some((unit, index)) = scope.unit.and_then(|unit| self.units.find(unit, scope.before, name, arity)) {
            return self.module_function(unit, index).map(Some);
        }
        self.library(name, arity)
    }

    fn module_function(&mut self, unit: usize, index: usize) -> Linked<&'s str> {
        let (function, unique) = self.units.function(unit, index, self.names);
        let Some(function) = function else {
            return Ok(unique);
        };
        let mut scope = Scope { unit: Some(unit), before: index + 1, locals: Vec::new() };
        let Function { args, body, .. } = function;
        // It calls itself by its own name.
        scope.locals.push(Local::Function {
            name: self.units.name_of(unit, index),
            arity: args.len(),
            unique,
            open: true,
            recursive: false,
        });
        let function = self.function(unique, args, body, &mut scope)?;
        self.prelude.push(function);
        Ok(unique)
    }

    /// A function of the engine's own library: a definition or a native one.
    fn library(&mut self, name: &str, arity: usize) -> Linked<Option<&'s str>> {
        let key = (name.to_owned(), arity);
        let unique = format!("%{name}");
        if self.known.contains(&key) {
            return Ok(Some(self.names.keep(unique)));
        }
        if let Some(text) = definitions::find(name, arity) {
            self.known.push(key);
            let unique = self.names.keep(unique);
            let parsed = Parser::new(text, "", self.names).module();
            let mut module = parsed.unwrap_or_else(|e| panic!("{name}: {}", e.what));
            let Function { args, body, .. } = module.functions.pop().expect("one definition");
            let own = self.names.keep(name.to_owned());
            let mut scope = Scope { unit: None, before: 0, locals: Vec::new() };
            scope.locals.push(Local::Function { name: own, arity, unique, open: false, recursive: false });
            let function = self.function(unique, args, body, &mut scope)?;
            self.prelude.push(function);
            return Ok(Some(unique));
        }
        // jaq-core has helpers of its own that are no part of the language, and those are not found here.
        let (Some(kinds), Some(native)) = (natives::find(name, arity), natives::native(name, arity)) else {
            return Ok(None);
        };
        self.known.push(key);
        let unique = self.names.keep(unique);
        self.natives.push((unique, natives::args(kinds), native));
        Ok(Some(unique))
    }

    fn library_call(&mut self, name: &str, args: Vec<Expr<'s>>) -> Expr<'s> {
        match self.library(name, args.len()) {
            Ok(Some(unique)) => Term::Call(unique, args),
            _ => panic!("the library has {name}"),
        }
    }

    /// Links a definition; the scope's last local is the function itself.
    fn function(
        &mut self,
        name: &'s str,
        mut args: Vec<&'s str>,
        body: Expr<'s>,
        scope: &mut Scope<'s>,
    ) -> Linked<Function<'s>> {
        let own = scope.locals.len() - 1;
        for arg in &args {
            scope.locals.push(match arg.starts_with('$') {
                true => Local::ValueParameter { name: arg, called: false },
                false => Local::Parameter(arg),
            });
        }
        let mut body = self.term(body, scope)?;
        let locals = scope.locals.drain(own + 1..);
        if locals.as_slice().iter().any(|local| matches!(local, Local::ValueParameter { called: true, .. })) {
            // As jq's manual has it: `def f($a): …` is short for `def f(a): a as $a | …`.
            for arg in args.iter_mut().rev() {
                if let Some(filter) = arg.strip_prefix('$') {
                    body = bind(Term::Call(filter, Vec::new()), arg, body);
                    *arg = filter;
                }
            }
        }
        drop(locals);
        if let Local::Function { open, recursive, .. } = &mut scope.locals[own] {
            *open = false;
            if *recursive && scope.unit.is_some() {
                body = pipe(self.library_call("!guard", Vec::new()), body);
            }
        }
        Ok(Function { name, args, body })
    }

    fn variable(&mut self, name: &'s str, scope: &Scope<'s>) -> Linked<Expr<'s>> {
        let local =
            |l: &Local<'s>| matches!(l, Local::Variable(n) | Local::ValueParameter { name: n, .. } if *n == name);
        if scope.locals.iter().any(local) {
            return Ok(Term::Var(name));
        }
        if let Some((_, known)) = scope.unit.and_then(|unit| self.units.data(unit, name)) {
            let (unique, value) = known;
            self.global_variable(unique, || value);
            return Ok(Term::Var(unique));
        }
        let variables = self.variables;
        if let Some((_, value)) = variables.iter().rev().find(|(n, _)| n == &name[1..]) {
            self.global_variable(name, || value.clone());
        } else if name == "$ENV" {
            let environment = self.units.access.environment();
            self.global_variable(name, || environment);
        } else {
            return self.fail(scope, name, format!("{name} is not defined"));
        }
        Ok(Term::Var(name))
    }

    fn global_variable(&mut self, name: &'s str, value: impl FnOnce() -> Value) {
        if !self.globals.iter().any(|(n, _)| *n == name) {
            self.globals.push((name, value()));
        }
    }

    // Terms

    fn terms(&mut self, terms: Vec<Expr<'s>>, scope: &mut Scope<'s>) -> Linked<Vec<Expr<'s>>> {
        terms.into_iter().map(|t| self.term(t, scope)).collect()
    }

    fn boxed(&mut self, term: Expr<'s>, scope: &mut Scope<'s>) -> Linked<Box<Expr<'s>>> {
        self.term(term, scope).map(Box::new)
    }

    fn term(&mut self, term: Expr<'s>, scope: &mut Scope<'s>) -> Linked<Expr<'s>> {
        Ok(match term {
            Term::Id | Term::Num(_) | Term::Arr(None) => term,
            Term::Recurse => self.library_call("!descend", Vec::new()),
            Term::Str(_, parts) => self.string(parts, scope)?,
            Term::Arr(Some(t)) => Term::Arr(Some(self.boxed(*t, scope)?)),
            Term::Neg(t) => Term::Neg(self.boxed(*t, scope)?),
            Term::Obj(members) => self.object(members, scope)?,
            Term::BinOp(l, op, r) => self.operation(*l, op, *r, scope)?,
            Term::Label(name, body) => {
                scope.locals.push(Local::Label(name));
                let body = self.boxed(*body, scope)?;
                scope.locals.pop();
                Term::Label(name, body)
            }
            Term::Break(name) => {
                let known = |l: &Local<'s>| matches!(l, Local::Label(n) if *n == name);
                if !scope.locals.iter().any(known) {
                    return self.fail(scope, name, format!("$*label-{} is not defined", &name[1..]));
                }
                term
            }
            Term::Fold(name, source, pattern, args) => self.fold(name, *source, pattern, args, scope)?,
            Term::TryCatch(body, handler) => {
                let body = self.boxed(*body, scope)?;
                let handler = handler.map(|h| self.boxed(*h, scope)).transpose()?;
                Term::TryCatch(body, handler)
            }
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.into_iter().map(|(c, t)| Ok((self.term(c, scope)?, self.term(t, scope)?)));
                let cases = cases.collect::<Linked<_>>()?;
                let otherwise = otherwise.map(|t| self.boxed(*t, scope)).transpose()?;
                Term::IfThenElse(cases, otherwise)
            }
            Term::Def(functions, body) => {
                let outside = scope.locals.len();
                let mut linked = Vec::new();
                for Function { name, args, body } in functions {
                    let arity = args.len();
                    scope.locals.push(Local::Function { name, arity, unique: name, open: true, recursive: false });
                    linked.push(self.function(name, args, body, scope)?);
                }
                let body = self.boxed(*body, scope)?;
                scope.locals.truncate(outside);
                Term::Def(linked, body)
            }
            Term::Call(name, args) => self.call(name, args, scope)?,
            Term::Var(name) => self.variable(name, scope)?,
            Term::Path(base, parts) => {
                let base = self.term(*base, scope)?;
                self.path(base, parts, scope)?
            }
        })
    }

    fn string(&mut self, parts: Vec<StrPart<&'s str, Expr<'s>>>, scope: &mut Scope<'s>) -> Linked<Expr<'s>> {
        let (mut several, mut unsafe_ones) = (0, 0);
        let mut linked = Vec::with_capacity(parts.len());
        for part in parts {
            linked.push(match part {
                StrPart::Term(t) => {
                    let t = self.term(t, scope)?;
                    several += usize::from(!self.shape(&t).at_most_one);
                    unsafe_ones += usize::from(!is_safe(&t));
                    StrPart::Term(t)
                }
                other => other,
            });
        }
        if several < 2 && unsafe_ones < 2 {
            return Ok(Term::Str(None, linked));
        }
        // The last one is the outer loop.
        let mut bound = Vec::new();
        for part in &mut linked {
            if let StrPart::Term(t) = part {
                let name = self.names.variable();
                bound.push((name, std::mem::replace(t, Term::Var(name))));
            }
        }
        let string = Term::Str(None, linked);
        Ok(bound.into_iter().fold(string, |rest, (name, t)| bind(t, name, rest)))
    }

    fn object(&mut self, members: Vec<(Expr<'s>, Option<Expr<'s>>)>, scope: &mut Scope<'s>) -> Linked<Expr<'s>> {
        let mut linked = Vec::with_capacity(members.len());
        let mut bound = Vec::new();
        for (key, value) in members {
            let key = self.term(key, scope)?;
            match value {
                Some(value) => linked.push((key, Some(self.term(value, scope)?))),
                None if super::parse::is_constant(&key) => linked.push((key, None)),
                None => {
                    // `{"a\(f)"}` must not evaluate its key twice.
                    let name = self.names.variable();
                    let value = path(Term::Id, Part::Index(Term::Var(name)), Opt::Essential);
                    linked.push((Term::Var(name), Some(value)));
                    bound.push((name, key));
                }
            }
        }
        // Errors count even where another member has no output: then one after the other.
        let some = |this: &Self, t: &Expr<'s>| this.shape(t).at_least_one;
        let all = linked.iter().all(|(k, v)| some(self, k) && v.as_ref().is_none_or(|v| some(self, v)));
        if !all && linked.len() > 1 {
            for (key, value) in &mut linked {
                for term in [Some(key), value.as_mut()].into_iter().flatten() {
                    if !super::parse::is_constant(term) && !is_safe(term) {
                        let name = self.names.variable();
                        bound.push((name, std::mem::replace(term, Term::Var(name))));
                    }
                }
            }
        }
        let object = Term::Obj(linked);
        Ok(bound.into_iter().rev().fold(object, |rest, (name, key)| bind(key, name, rest)))
    }

    fn path(&mut self, base: Expr<'s>, parts: Path<Expr<'s>>, scope: &mut Scope<'s>) -> Linked<Expr<'s>> {
        let mut term = base;
        for (part, opt) in parts.0 {
            let part = match part {
                Part::Index(i) => {
                    let i = self.term(i, scope)?;
                    // Indices are the outer loop, what is indexed the inner one.
                    if !is_fixed_index(&i) && !is_safe(&term) {
                        let name = self.names.variable();
                        let inner = extend(term, Part::Index(Term::Var(name)), opt);
                        term = bind(i, name, inner);
                        continue;
                    }
                    Part::Index(i)
                }
                Part::Range(from, upto) => {
                    let from = from.map(|t| self.term(t, scope)).transpose()?;
                    let upto = upto.map(|t| self.term(t, scope)).transpose()?;
                    let fixed = |bound: &Option<Expr<'s>>| bound.as_ref().is_none_or(is_fixed_index);
                    if !(is_safe(&term) || fixed(&from) && fixed(&upto)) {
                        term = self.outer_bounds(term, from, upto, opt);
                        continue;
                    }
                    Part::Range(from, upto)
                }
            };
            term = extend(term, part, opt);
        }
        Ok(term)
    }

    /// `base[from:upto]` with the bounds evaluated before the base.
    fn outer_bounds(&self, base: Expr<'s>, from: Option<Expr<'s>>, upto: Option<Expr<'s>>, opt: Opt) -> Expr<'s> {
        let name = |bound: &Option<Expr<'s>>| bound.as_ref().map(|_| self.names.variable());
        let (first, last) = (name(&from), name(&upto));
        let slice = extend(base, Part::Range(first.map(Term::Var), last.map(Term::Var)), opt);
        let outer = |rest, name: Option<&'s str>, bound: Option<Expr<'s>>| match (name, bound) {
            (Some(name), Some(bound)) => bind(bound, name, rest),
            _ => rest,
        };
        outer(outer(slice, last, upto), first, from)
    }

    fn pattern(
        &mut self,
        pattern: Pattern<&'s str>,
        scope: &mut Scope<'s>,
        found: &mut Vec<&'s str>,
    ) -> Linked<Pattern<&'s str>> {
        Ok(match pattern {
            Pattern::Var(name) => {
                found.push(name);
                Pattern::Var(name)
            }
            Pattern::Arr(elements) => {
                let elements = elements.into_iter().map(|p| self.pattern(p, scope, found));
                Pattern::Arr(elements.collect::<Linked<_>>()?)
            }
            Pattern::Obj(members) => {
                let mut linked = Vec::new();
                for (key, p) in members {
                    let key = self.term(key, scope)?;
                    linked.push((key, self.pattern(p, scope, found)?));
                }
                Pattern::Obj(linked)
            }
        })
    }

    fn operation(
        &mut self,
        left: Expr<'s>,
        op: BinaryOp<&'s str>,
        right: Expr<'s>,
        scope: &mut Scope<'s>,
    ) -> Linked<Expr<'s>> {
        let left = self.term(left, scope)?;
        if let BinaryOp::Pipe(Some(pattern)) = op {
            let mut found = Vec::new();
            let pattern = self.pattern(pattern, scope, &mut found)?;
            let outside = scope.locals.len();
            scope.locals.extend(found.into_iter().map(Local::Variable));
            let right = self.term(right, scope)?;
            scope.locals.truncate(outside);
            return Ok(binary(left, BinaryOp::Pipe(Some(pattern)), right));
        }
        let right = self.term(right, scope)?;
        Ok(match op {
            BinaryOp::Math(math) => {
                if self.order_matters(&left, &right) {
                    let name = self.names.variable();
                    bind(right, name, binary(left, BinaryOp::Math(math), Term::Var(name)))
                } else {
                    binary(left, BinaryOp::Math(math), right)
                }
            }
            BinaryOp::Cmp(cmp) if self.order_matters(&left, &right) => {
                // Without outputs on one side jaq-core would not see an error on the other.
                if self.shape(&left).at_least_one && self.shape(&right).at_least_one {
                    binary(right, BinaryOp::Cmp(mirrored(cmp)), left)
                } else {
                    let name = self.names.variable();
                    bind(right, name, binary(left, BinaryOp::Cmp(cmp), Term::Var(name)))
                }
            }
            BinaryOp::Update => self.update(left, right),
            BinaryOp::Assign if is_simple(&left) => binary(left, BinaryOp::Assign, right),
            BinaryOp::Assign => {
                let left = self.path_argument(left, false);
                self.library_call("!assign", vec![left, right])
            }
            BinaryOp::UpdateMath(math) if !is_simple(&left) => {
                let name = self.names.variable();
                let change = binary(Term::Id, BinaryOp::Math(math), Term::Var(name));
                bind(right, name, self.update(left, change))
            }
            BinaryOp::UpdateAlt if !is_simple(&left) => {
                let name = self.names.variable();
                let change = binary(Term::Id, BinaryOp::Alt, Term::Var(name));
                bind(right, name, self.update(left, change))
            }
            op => binary(left, op, right),
        })
    }

    /// `left |= right`: jaq-core's updates where they give what jq's path by path does.
    fn update(&mut self, left: Expr<'s>, right: Expr<'s>) -> Expr<'s> {
        let shape = self.shape(&right);
        if !is_simple(&left) || !shape.at_least_one && !keeps_order(&left) {
            let left = self.path_argument(left, false);
            return self.library_call("!modify", vec![left, right]);
        }
        let right = match shape.at_most_one {
            true => right,
            false => self.library_call("!first", vec![right]),
        };
        binary(left, BinaryOp::Update, right)
    }

    /// Terms that lead nowhere in a path are marked, so that what is done with their value fails
    /// with jq's message; `lost` says that the term's input is such a value.
    fn path_argument(&mut self, term: Expr<'s>, lost: bool) -> Expr<'s> {
        let boxed = |this: &mut Self, t: Box<Expr<'s>>, lost| Box::new(this.path_argument(*t, lost));
        match term {
            Term::Num(_) | Term::Str(..) | Term::Arr(_) | Term::Obj(_) | Term::Neg(_) | Term::Var(_) => {
                self.library_call("!nonpath", vec![term])
            }
            Term::BinOp(l, op, r) => match op {
                BinaryOp::Pipe(None) => {
                    let l = boxed(self, l, lost);
                    let lost = lost && matches!(*l, Term::Id) || is_marked(&l);
                    let r = boxed(self, r, lost);
                    Term::BinOp(l, op, r)
                }
                BinaryOp::Pipe(Some(_)) => Term::BinOp(l, op, boxed(self, r, lost)),
                BinaryOp::Alt => {
                    // Of the left side only what counts is a path.
                    let l = boxed(self, l, lost);
                    let counts = self.library_call("select", vec![Term::Id]);
                    let r = boxed(self, r, lost);
                    Term::BinOp(Box::new(pipe(*l, counts)), op, r)
                }
                BinaryOp::Comma => {
                    let (l, r) = (boxed(self, l, lost), boxed(self, r, lost));
                    Term::BinOp(l, op, r)
                }
                _ => {
                    let term = Term::BinOp(l, op, r);
                    self.library_call("!nonpath", vec![term])
                }
            },
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.into_iter().map(|(c, t)| (c, self.path_argument(t, lost))).collect();
                let otherwise = otherwise.map(|t| Box::new(self.path_argument(*t, lost)));
                Term::IfThenElse(cases, otherwise)
            }
            Term::TryCatch(t, handler) => {
                let t = boxed(self, t, lost);
                // What a handler gives is no path.
                let fails =
                    |this: &mut Self, h: Box<Expr<'s>>| Box::new(pipe(*h, this.library_call("!nopath", Vec::new())));
                Term::TryCatch(t, handler.map(|h| fails(self, h)))
            }
            Term::Label(name, t) => Term::Label(name, boxed(self, t, lost)),
            Term::Def(functions, t) => Term::Def(functions, boxed(self, t, lost)),
            Term::Path(base, parts) => {
                let base = boxed(self, base, lost);
                let lost = lost && matches!(*base, Term::Id) || is_marked(&base);
                let key = match parts.0.first() {
                    _ if !lost => None,
                    Some((Part::Index(i), _)) => Some(i.clone()),
                    Some((Part::Range(None, None), _)) => {
                        return Term::Path(Box::new(self.library_call("!noniterable", vec![*base])), parts);
                    }
                    Some((Part::Range(from, upto), _)) => {
                        let bound = |b: &Option<Expr<'s>>| Some(b.clone().unwrap_or(Term::Num("null")));
                        let (start, end) = (super::parse::text("start"), super::parse::text("end"));
                        Some(Term::Obj(vec![(start, bound(from)), (end, bound(upto))]))
                    }
                    None => None,
                };
                let base = match key {
                    Some(key) => Box::new(self.library_call("!noelement", vec![*base, key])),
                    None => base,
                };
                Term::Path(base, parts)
            }
            Term::Call(name, mut args) => {
                let arity = args.len();
                match name.strip_prefix('%') {
                    Some("first" | "last" | "!first" | "!limit" | "!skip" | "limit" | "skip" | "nth" | "recurse")
                        if arity > 0 =>
                    {
                        let last = args.pop().expect("there are arguments");
                        args.push(self.path_argument(last, lost));
                        Term::Call(name, args)
                    }
                    Some(own) if !leads_somewhere(own) => self.library_call("!nonpath", vec![Term::Call(name, args)]),
                    _ => Term::Call(name, args),
                }
            }
            Term::Fold("reduce", ..) => self.library_call("!nonpath", vec![term]),
            other => other,
        }
    }

    /// jq evaluates the right operand first: that shows in several outputs and in errors.
    fn order_matters(&self, left: &Expr<'s>, right: &Expr<'s>) -> bool {
        let both = !self.shape(left).at_most_one && !self.shape(right).at_most_one;
        both || !is_safe(left) && !is_safe(right)
    }

    fn fold(
        &mut self,
        name: &'s str,
        source: Expr<'s>,
        pattern: Pattern<&'s str>,
        args: Vec<Expr<'s>>,
        scope: &mut Scope<'s>,
    ) -> Linked<Expr<'s>> {
        let source = self.term(source, scope)?;
        let mut found = Vec::new();
        let pattern = self.pattern(pattern, scope, &mut found)?;
        let mut args = args.into_iter();
        let mut next = || args.next();
        let init = self.term(next().unwrap_or(Term::Id), scope)?;
        let outside = scope.locals.len();
        scope.locals.extend(found.into_iter().map(Local::Variable));
        let update = self.term(next().unwrap_or(Term::Id), scope)?;
        let extract = next().map(|t| self.term(t, scope)).transpose()?;
        scope.locals.truncate(outside);
        let mut linked = vec![init];
        if self.shape(&update).one() {
            linked.push(update);
            linked.extend(extract);
        } else if name == "reduce" {
            linked.push(self.library_call("!one_or_null", vec![update]));
        } else {
            // The state is an array of all outputs; the last one is what the next update sees. An error is kept among
            // them, so that what was given before it is given.
            let last = path(Term::Id, Part::Index(Term::Neg(Box::new(Term::Num("1")))), Opt::Essential);
            let last = pipe(last, self.library_call("!outcome", Vec::new()));
            let each = path(Term::Id, Part::Range(None, None), Opt::Essential);
            let each = pipe(each, self.library_call("!outcome", Vec::new()));
            let array = |term| Term::Arr(Some(Box::new(term)));
            let failed = array(binary(Term::Num("null"), BinaryOp::Comma, Term::Id));
            let outcomes = Term::TryCatch(Box::new(pipe(update, array(Term::Id))), Some(Box::new(failed)));
            let init = std::mem::take(&mut linked[0]);
            linked[0] = pipe(init, array(array(Term::Id)));
            linked.push(pipe(last, array(outcomes)));
            linked.push(match extract {
                Some(extract) => pipe(each, extract),
                None => each,
            });
        }
        Ok(Term::Fold(name, Box::new(source), pattern, linked))
    }

    // What is known about terms

    fn shape(&self, term: &Expr<'s>) -> Shape {
        match term {
            Term::Id | Term::Num(_) | Term::Arr(_) => ONE,
            Term::Var(_) => ONE,
            Term::Str(_, parts) => parts.iter().fold(ONE, |shape, part| match part {
                StrPart::Term(t) => shape.and(self.shape(t)),
                _ => shape,
            }),
            Term::Neg(t) => self.shape(t),
            Term::Obj(members) => members
                .iter()
                .fold(ONE, |shape, (k, v)| shape.and(self.shape(k)).and(v.as_ref().map_or(ONE, |v| self.shape(v)))),
            Term::BinOp(l, op, r) => {
                let both = || self.shape(l).and(self.shape(r));
                match op {
                    BinaryOp::Pipe(None | Some(Pattern::Var(_))) => both(),
                    BinaryOp::Pipe(Some(pattern)) if is_plain(pattern) => both(),
                    BinaryOp::Math(_) | BinaryOp::Cmp(_) | BinaryOp::Or | BinaryOp::And => both(),
                    BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => self.shape(r),
                    BinaryOp::Update => ONE,
                    BinaryOp::Alt => {
                        let (l, r) = (self.shape(l), self.shape(r));
                        Shape { at_least_one: r.at_least_one, at_most_one: l.at_most_one && r.at_most_one }
                    }
                    _ => ANY,
                }
            }
            Term::IfThenElse(cases, otherwise) => {
                let rest = otherwise.as_ref().map_or(ONE, |t| self.shape(t));
                cases.iter().fold(rest, |s, (c, t)| s.and(self.shape(c)).and(self.shape(t)))
            }
            Term::Fold("reduce", _, _, args) => self.shape(&args[0]),
            Term::TryCatch(body, handler) => {
                let body = self.shape(body);
                match handler {
                    Some(handler) => body.and(self.shape(handler)),
                    None => Shape { at_least_one: false, ..body },
                }
            }
            Term::Def(_, body) => self.shape(body),
            Term::Call(name, args) => match name.strip_prefix('%') {
                Some("empty") => Shape { at_least_one: false, at_most_one: true },
                Some("select") => Shape { at_least_one: false, at_most_one: self.shape(&args[0]).at_most_one },
                Some(name) if gives_one(name) => {
                    let takes_filters = takes_filters(name, args.len());
                    match takes_filters {
                        true => ONE,
                        false => args.iter().fold(ONE, |s, a| s.and(self.shape(a))),
                    }
                }
                _ => ANY,
            },
            Term::Path(base, parts) => {
                let part = |shape: Shape, (part, opt): &(Part<Expr<'s>>, Opt)| {
                    let shape = shape.and(match part {
                        Part::Index(i) => self.shape(i),
                        Part::Range(None, None) => ANY,
                        Part::Range(from, upto) => {
                            let bound = |t: &Option<Expr<'s>>| t.as_ref().map_or(ONE, |t| self.shape(t));
                            bound(from).and(bound(upto))
                        }
                    });
                    let essential = matches!(opt, Opt::Essential);
                    Shape { at_least_one: shape.at_least_one && essential, ..shape }
                };
                parts.0.iter().fold(self.shape(base), part)
            }
            _ => ANY,
        }
    }
}

/// Functions of the library that are paths if their arguments are.
fn leads_somewhere(name: &str) -> bool {
    const PATHS: &[&str] = &[
        "first",
        "last",
        "nth",
        "getpath",
        "error",
        "empty",
        "select",
        "recurse",
        "arrays",
        "objects",
        "iterables",
        "booleans",
        "numbers",
        "strings",
        "nulls",
        "values",
        "scalars",
        "normals",
        "finites",
        "until",
        "while",
        "repeat",
        "limit",
        "skip",
    ];
    name.starts_with('!') || PATHS.contains(&name)
}

/// True for terms whose output may be no path.
fn is_marked(term: &Expr<'_>) -> bool {
    match term {
        Term::Call("%!nonpath", _) => true,
        Term::Call(name, args) if name.starts_with('%') => args.last().is_some_and(is_marked),
        Term::BinOp(l, BinaryOp::Comma | BinaryOp::Alt, r) => is_marked(l) || is_marked(r),
        Term::BinOp(_, BinaryOp::Pipe(_), r) | Term::Def(_, r) | Term::Label(_, r) => is_marked(r),
        Term::IfThenElse(cases, rest) => {
            cases.iter().any(|(_, t)| is_marked(t)) || rest.as_ref().is_some_and(|t| is_marked(t))
        }
        Term::TryCatch(t, _) => is_marked(t),
        _ => false,
    }
}

/// `term as $name | rest`
fn bind<'s>(term: Expr<'s>, name: &'s str, rest: Expr<'s>) -> Expr<'s> {
    binary(term, BinaryOp::Pipe(Some(Pattern::Var(name))), rest)
}

fn extend<'s>(base: Expr<'s>, part: Part<Expr<'s>>, opt: Opt) -> Expr<'s> {
    match base {
        Term::Path(base, mut path) => {
            path.0.push((part, opt));
            Term::Path(base, path)
        }
        base => path(base, part, opt),
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

/// True for patterns whose keys are constants.
fn is_plain(pattern: &Pattern<&str>) -> bool {
    match pattern {
        Pattern::Var(_) => true,
        Pattern::Arr(elements) => elements.iter().all(is_plain),
        Pattern::Obj(members) => members.iter().all(|(k, p)| super::parse::is_constant(k) && is_plain(p)),
    }
}

/// True if evaluating cannot fail.
fn is_safe(term: &Expr<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(None) => true,
        Term::Str(_, parts) => !parts.iter().any(|p| matches!(p, StrPart::Term(_))),
        Term::Call("%nan" | "%infinite", _) => true,
        Term::Neg(t) => matches!(**t, Term::Num(_)),
        _ => false,
    }
}

/// True for paths of fields, indices, slices, iteration and selection: there jaq-core's way of
/// updating, from the top down, gives what setting path by path gives.
///
/// A place that may be missing must not come to be by being looked at: after a field or an index
/// nothing may follow that can lead nowhere (`select`, `[]?`).
fn is_simple(term: &Expr<'_>) -> bool {
    follow(term, true).is_some()
}

/// Whether what a simple path leads to is surely there; `present` says so of its input.
fn follow(term: &Expr<'_>, present: bool) -> Option<bool> {
    match term {
        Term::Id => Some(present),
        Term::Path(base, parts) => {
            let step = |present: bool, (part, opt): &(Part<Expr<'_>>, Opt)| match (part, opt) {
                (Part::Range(None, None), Opt::Optional) if !present => None,
                (Part::Range(None, None), _) => Some(true),
                (part, _) => is_fixed(part).then_some(false),
            };
            parts.0.iter().try_fold(follow(base, present)?, step)
        }
        Term::BinOp(l, BinaryOp::Pipe(None), r) => follow(r, follow(l, present)?),
        Term::Call("%select", args) => (present && is_fixed_index(&args[0])).then_some(true),
        Term::Call("%first" | "%last", args) => args.is_empty().then_some(false),
        _ => None,
    }
}

/// True for parts that name one place, or all places.
fn is_fixed(part: &Part<Expr<'_>>) -> bool {
    match part {
        Part::Index(i) => is_fixed_index(i),
        Part::Range(None, None) => true,
        Part::Range(from, upto) => from.as_ref().is_none_or(is_fixed_index) && upto.as_ref().is_none_or(is_fixed_index),
    }
}

/// True for terms that surely have one output.
fn is_fixed_index(term: &Expr<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) => true,
        Term::Str(_, parts) => !parts.iter().any(|p| matches!(p, StrPart::Term(_))),
        Term::Neg(t) => is_fixed_index(t),
        Term::BinOp(l, op, r) => {
            let plain = matches!(
                op,
                BinaryOp::Pipe(None) | BinaryOp::Math(_) | BinaryOp::Cmp(_) | BinaryOp::And | BinaryOp::Or
            );
            plain && is_fixed_index(l) && is_fixed_index(r)
        }
        Term::Path(base, parts) => {
            let fixed = |(part, opt): &(Part<Expr<'_>>, Opt)| {
                matches!(opt, Opt::Essential) && is_fixed(part) && !matches!(part, Part::Range(None, None))
            };
            is_fixed_index(base) && parts.0.iter().all(fixed)
        }
        Term::Call("%length" | "%type" | "%not" | "%tostring", args) => args.is_empty(),
        _ => false,
    }
}

/// True if removing what has no output, as it comes, is the same as removing it in the end: what is removed is a member
/// or an element, never the input itself, and no slice or index can be moved by it.
fn keeps_order(term: &Expr<'_>) -> bool {
    removes_part(term) && !has_slice(term)
}

/// True for paths that lead somewhere below the input.
fn removes_part(term: &Expr<'_>) -> bool {
    match term {
        Term::Path(..) => true,
        Term::BinOp(l, BinaryOp::Pipe(None), r) => removes_part(l) || removes_part(r),
        Term::Call("%first" | "%last", _) => true,
        _ => false,
    }
}

fn has_slice(term: &Expr<'_>) -> bool {
    match term {
        Term::Path(base, parts) => {
            has_slice(base)
                || parts.0.iter().any(|(p, _)| matches!(p, Part::Range(Some(_), _) | Part::Range(_, Some(_))))
        }
        Term::BinOp(l, _, r) => has_slice(l) || has_slice(r),
        _ => false,
    }
}

/// Functions of the library that have one output or fail, if their arguments do.
fn gives_one(name: &str) -> bool {
    const ONES: &[&str] = &[
        "not",
        "map",
        "map_values",
        "length",
        "utf8bytelength",
        "type",
        "keys",
        "keys_unsorted",
        "has",
        "contains",
        "add",
        "tostring",
        "tojson",
        "fromjson",
        "tonumber",
        "toboolean",
        "flatten",
        "reverse",
        "sort",
        "sort_by",
        "group_by",
        "unique",
        "unique_by",
        "min",
        "max",
        "min_by",
        "max_by",
        "from_entries",
        "to_entries",
        "with_entries",
        "startswith",
        "endswith",
        "trim",
        "ltrim",
        "rtrim",
        "ltrimstr",
        "rtrimstr",
        "trimstr",
        "split",
        "explode",
        "implode",
        "ascii_downcase",
        "ascii_upcase",
        "now",
        "mktime",
        "gmtime",
        "localtime",
        "strftime",
        "strflocaltime",
        "strptime",
        "todate",
        "fromdate",
        "del",
        "delpaths",
        "setpath",
        "getpath",
        "join",
        "any",
        "all",
        "isempty",
        "transpose",
        "index",
        "rindex",
        "indices",
        "!modify",
        "!one_or_null",
        "test",
        "abs",
        "floor",
        "ceil",
        "round",
        "sqrt",
        "pow",
        "log",
        "exp",
        "env",
        "input_filename",
        "first",
        "last",
        "nth",
        "pick",
        "infinite",
        "nan",
        "isnan",
        "isinfinite",
        "!guard",
        "walk",
        "@text",
        "@json",
        "@csv",
        "@tsv",
        "@html",
        "@uri",
        "@sh",
        "@base64",
        "@base64d",
        "@urid",
        "toarray",
    ];
    ONES.contains(&name)
}

/// Functions whose outputs do not multiply with those of their arguments.
fn takes_filters(name: &str, arity: usize) -> bool {
    match name {
        "first" | "last" | "nth" | "walk" | "pick" if arity > 0 => false,
        "map" | "map_values" | "add" | "sort_by" | "group_by" | "unique_by" | "min_by" | "max_by" | "with_entries"
        | "del" | "any" | "all" | "isempty" | "!modify" | "!one_or_null" => true,
        _ => false,
    }
}
