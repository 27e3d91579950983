//! From parsed terms to a program for jaq-core: resolves every name, and includes only the definitions that the
//! program reaches.
//!
//! What jq evaluates in another order than jaq-core, or updates in another way, is written down in jaq-core's terms as each
//! term is linked (`order`, `updates`).

use super::builtin::{Body, Builtin, Param};
use super::direct::Compiler;
use super::library;
use super::modules::{UnitError, Units};
use super::parse::{Expr, Function, Names, Parser, SyntaxError};
use super::term::{Linked, Word, binary, bind, call, pipe, text, variable};
use super::{control, loops, order, updates};
use crate::value::Value;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

type Result<T> = std::result::Result<T, UnitError>;

/// A definition whose body is linked.
pub type Definition<'s> = Def<Word<'s>, Linked<'s>>;

/// What a name can stand for inside a text.
enum Local<'s> {
    Function {
        name: &'s str,
        arity: usize,
        /// what it is called in the linked program
        word: Word<'s>,
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
    Label {
        name: &'s str,
        /// how many places break to it
        breaks: usize,
    },
}

/// The text that a term belongs to, and the names in scope.
struct Scope<'s> {
    /// `None` for the library's own definitions
    unit: Option<usize>,
    /// of a module's functions, those before this one can be called
    before: usize,
    locals: Vec<Local<'s>>,
}

pub struct Linker<'s> {
    names: &'s Names,
    pub units: Units<'s>,
    /// definitions in an order in which each stands before its callers
    pub definitions: Vec<Definition<'s>>,
    /// the functions of the library that are used
    pub library: Vec<&'static Builtin>,
    /// variables of the whole program that are used, with their values
    pub globals: Vec<(&'s str, Value)>,
    /// variables that may be used
    variables: &'s [(String, Value)],
    pub direct: Compiler<'s>,
}

impl<'s> Linker<'s> {
    pub fn new(names: &'s Names, units: Units<'s>, variables: &'s [(String, Value)]) -> Self {
        Self {
            names,
            units,
            definitions: Vec::new(),
            library: Vec::new(),
            globals: Vec::new(),
            variables,
            direct: Compiler::default(),
        }
    }

    /// Links the main program, which then is the definition of that name.
    pub fn main(&mut self, unit: usize, name: &'s str) -> Result<()> {
        let functions = self.units.take_functions(unit);
        let main = self.units.take_main(unit).expect("a program without one was refused when it was read");
        let body = functions.into_iter().rev().fold(main, |rest, function| Term::Def(vec![function], Box::new(rest)));
        let mut scope = Scope { unit: Some(unit), before: 0, locals: Vec::new() };
        let mut body = self.term(body, &mut scope)?;
        self.direct.mark(&mut body, false);
        self.definitions.push(Definition { name: Word::Text(name), args: Vec::new(), body });
        Ok(())
    }

    fn fail<T>(&self, scope: &Scope<'s>, at: &str, what: String) -> Result<T> {
        let (start, end) = scope.unit.map_or((0, 0), |unit| self.units.place(unit, at));
        Err(UnitError { unit: scope.unit, error: SyntaxError { what, start, end } })
    }

    // Names

    fn call(&mut self, name: &'s str, args: Vec<Expr<'s>>, scope: &mut Scope<'s>) -> Result<Linked<'s>> {
        let arity = args.len();
        // Parameters and local functions, the innermost first.
        let found = scope.locals.iter_mut().rev().find_map(|local| match local {
            Local::Function { name: n, arity: a, word, open, recursive } if *n == name && *a == arity => {
                *recursive |= *open;
                Some(*word)
            }
            Local::Parameter(n) if *n == name && arity == 0 => Some(Word::Text(name)),
            Local::ValueParameter { name: v, called } if arity == 0 && v.strip_prefix('$') == Some(name) => {
                *called = true;
                Some(Word::Text(name))
            }
            _ => None,
        });
        let found = match (found, scope.unit) {
            (None, Some(unit)) => match self.units.find(unit, scope.before, name, arity) {
                Some((unit, index)) => Some(self.module_function(unit, index)?),
                None => None,
            },
            (found, _) => found,
        };
        if let Some(word) = found {
            return Ok(Term::Call(word, self.terms(args, scope)?));
        }
        let Some(builtin) = library::find(name, arity, scope.unit.is_none()) else {
            if let Some(format) = name.strip_prefix('@') {
                // An error when it runs, as in jq.
                let what = self.names.keep(format!("{format} is not a valid format"));
                return Ok(pipe(text(Word::Text(what)), call(&control::ERROR, Vec::new())));
            }
            return self.fail(scope, name, format!("{name}/{arity} is not defined"));
        };
        self.provide(builtin)?;
        let args = self.terms(args, scope)?.into_iter().zip(builtin.params).map(|(arg, param)| match param {
            Param::Path => updates::as_path(arg, false),
            Param::Value | Param::Filter => arg,
        });
        Ok(order::arguments(self.names, builtin, args.collect()))
    }

    fn module_function(&mut self, unit: usize, index: usize) -> Result<Word<'s>> {
        let direct = &mut self.direct;
        let (function, word) = self.units.function(unit, index, |name| Word::Function(name, direct.number(None)));
        let Some(Function { args, body, .. }) = function else {
            return Ok(word);
        };
        let mut scope = Scope { unit: Some(unit), before: index + 1, locals: Vec::new() };
        // It calls itself by its own name.
        let (name, arity) = (self.units.name_of(unit, index), args.len());
        scope.locals.push(Local::Function { name, arity, word, open: true, recursive: false });
        let definition = self.function(word, args, body, &mut scope)?;
        self.definitions.push(definition);
        Ok(word)
    }

    /// Takes a function of the library into the program, with those that its definition needs.
    pub fn provide(&mut self, builtin: &'static Builtin) -> Result<()> {
        if self.library.contains(&builtin) {
            return Ok(());
        }
        self.library.push(builtin);
        let Body::Defined(text) = builtin.body else { return Ok(()) };
        let mut parsed = match Parser::new(text, "", self.names).module() {
            Ok(parsed) => parsed,
            Err(e) => panic!("{text} {}", e.what),
        };
        let Function { args, body, .. } = parsed.functions.pop().expect("there is one definition");
        let word = Word::Builtin(builtin);
        let own = Local::Function { name: builtin.name, arity: args.len(), word, open: false, recursive: false };
        let mut scope = Scope { unit: None, before: 0, locals: vec![own] };
        let definition = self.function(word, args, body, &mut scope)?;
        self.definitions.push(definition);
        Ok(())
    }

    /// Links a definition; the scope's last local is the function itself.
    fn function(
        &mut self,
        name: Word<'s>,
        mut args: Vec<&'s str>,
        body: Expr<'s>,
        scope: &mut Scope<'s>,
    ) -> Result<Definition<'s>> {
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
                    body = bind(Term::Call(Word::Text(filter), Vec::new()), arg, body);
                    *arg = filter;
                }
            }
        }
        drop(locals);
        if let Local::Function { open, recursive, .. } = &mut scope.locals[own] {
            *open = false;
            if *recursive && scope.unit.is_some() {
                body = pipe(call(&control::GUARD, Vec::new()), body);
            }
        }
        let number = match name {
            Word::Builtin(builtin) => self.direct.number(Some(builtin)),
            Word::Function(_, number) => number,
            Word::Text(_) | Word::Global(..) | Word::Direct(..) => unreachable!("no function is called so"),
        };
        self.direct.function(number, &args, &mut body);
        Ok(Definition { name, args: args.into_iter().map(Word::Text).collect(), body })
    }

    fn variable(&mut self, name: &'s str, scope: &Scope<'s>) -> Result<Linked<'s>> {
        let local =
            |l: &Local<'s>| matches!(l, Local::Variable(n) | Local::ValueParameter { name: n, .. } if *n == name);
        if scope.locals.iter().any(local) {
            return Ok(variable(name));
        }
        if let Some((unique, value)) = scope.unit.and_then(|unit| self.units.data(unit, name)) {
            return Ok(self.global_variable(unique, || value));
        }
        let variables = self.variables;
        if let Some((_, value)) = variables.iter().rev().find(|(n, _)| n == &name[1..]) {
            return Ok(self.global_variable(name, || value.clone()));
        }
        if name == "$ENV" {
            let environment = self.units.access.environment();
            return Ok(self.global_variable(name, || environment));
        }
        self.fail(scope, name, format!("{name} is not defined"))
    }

    fn global_variable(&mut self, name: &'s str, value: impl FnOnce() -> Value) -> Linked<'s> {
        let known = self.globals.iter().position(|(n, _)| *n == name);
        let number = known.unwrap_or_else(|| {
            self.globals.push((name, value()));
            self.globals.len() - 1
        });
        Term::Var(Word::Global(name, number))
    }

    // Terms

    fn terms(&mut self, terms: Vec<Expr<'s>>, scope: &mut Scope<'s>) -> Result<Vec<Linked<'s>>> {
        terms.into_iter().map(|t| self.term(t, scope)).collect()
    }

    fn boxed(&mut self, term: Expr<'s>, scope: &mut Scope<'s>) -> Result<Box<Linked<'s>>> {
        self.term(term, scope).map(Box::new)
    }

    fn term(&mut self, term: Expr<'s>, scope: &mut Scope<'s>) -> Result<Linked<'s>> {
        Ok(match term {
            Term::Id => Term::Id,
            Term::Num(text) => Term::Num(Word::Text(text)),
            Term::Recurse => call(&loops::DESCEND, Vec::new()),
            Term::Str(_, parts) => {
                let parts = parts.into_iter().map(|part| {
                    Ok(match part {
                        StrPart::Str(text) => StrPart::Str(Word::Text(text)),
                        StrPart::Char(c) => StrPart::Char(c),
                        StrPart::Term(t) => StrPart::Term(self.term(t, scope)?),
                    })
                });
                let parts = parts.collect::<Result<_>>()?;
                order::string(self.names, parts)
            }
            Term::Arr(inner) => Term::Arr(inner.map(|t| self.boxed(*t, scope)).transpose()?),
            Term::Neg(t) => Term::Neg(self.boxed(*t, scope)?),
            Term::Obj(members) => {
                let members = members.into_iter().map(|(key, value)| {
                    Ok((self.term(key, scope)?, value.map(|value| self.term(value, scope)).transpose()?))
                });
                let members = members.collect::<Result<_>>()?;
                order::object(self.names, members)
            }
            Term::BinOp(l, op, r) => self.operation(*l, op, *r, scope)?,
            Term::Label(name, body) => {
                scope.locals.push(Local::Label { name, breaks: 0 });
                let body = self.term(*body, scope)?;
                match scope.locals.pop() {
                    Some(Local::Label { breaks: 1, .. }) => order::label(Word::Text(name), body),
                    _ => Term::Label(Word::Text(name), Box::new(body)),
                }
            }
            Term::Break(name) => {
                let known = scope.locals.iter_mut().rev().find_map(|local| match local {
                    Local::Label { name: n, breaks } if *n == name => Some(breaks),
                    _ => None,
                });
                let Some(breaks) = known else {
                    return self.fail(scope, name, format!("$*label-{} is not defined", &name[1..]));
                };
                *breaks += 1;
                Term::Break(Word::Text(name))
            }
            Term::Fold(name, source, pattern, args) => self.fold(name, *source, pattern, args, scope)?,
            Term::TryCatch(body, handler) => {
                let body = self.boxed(*body, scope)?;
                let handler = handler.map(|h| self.boxed(*h, scope)).transpose()?;
                Term::TryCatch(body, handler)
            }
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.into_iter().map(|(c, t)| Ok((self.term(c, scope)?, self.term(t, scope)?)));
                let cases = cases.collect::<Result<_>>()?;
                let otherwise = otherwise.map(|t| self.boxed(*t, scope)).transpose()?;
                Term::IfThenElse(cases, otherwise)
            }
            Term::Def(functions, body) => {
                let outside = scope.locals.len();
                let mut linked = Vec::new();
                for Function { name, args, body } in functions {
                    let word = Word::Function(name, self.direct.number(None));
                    let arity = args.len();
                    scope.locals.push(Local::Function { name, arity, word, open: true, recursive: false });
                    linked.push(self.function(word, args, body, scope)?);
                }
                let body = self.boxed(*body, scope)?;
                scope.locals.truncate(outside);
                Term::Def(linked, body)
            }
            Term::Call(name, args) => self.call(name, args, scope)?,
            Term::Var(name) => self.variable(name, scope)?,
            Term::Path(base, parts) => {
                let base = self.term(*base, scope)?;
                let parts = parts.0.into_iter().map(|(part, opt)| {
                    let part = match part {
                        Part::Index(i) => Part::Index(self.term(i, scope)?),
                        Part::Range(from, upto) => {
                            let from = from.map(|t| self.term(t, scope)).transpose()?;
                            Part::Range(from, upto.map(|t| self.term(t, scope)).transpose()?)
                        }
                    };
                    Ok((part, opt))
                });
                let parts = Path(parts.collect::<Result<_>>()?);
                order::steps(self.names, base, parts)
            }
        })
    }

    fn pattern(
        &mut self,
        pattern: Pattern<&'s str>,
        scope: &mut Scope<'s>,
        found: &mut Vec<&'s str>,
    ) -> Result<Pattern<Word<'s>>> {
        Ok(match pattern {
            Pattern::Var(name) => {
                found.push(name);
                Pattern::Var(Word::Text(name))
            }
            Pattern::Arr(elements) => {
                let elements = elements.into_iter().map(|p| self.pattern(p, scope, found));
                Pattern::Arr(elements.collect::<Result<_>>()?)
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

    /// Links what sees the variables of a pattern.
    fn inside<T>(
        &mut self,
        variables: &[&'s str],
        scope: &mut Scope<'s>,
        link: impl FnOnce(&mut Self, &mut Scope<'s>) -> T,
    ) -> T {
        let outside = scope.locals.len();
        scope.locals.extend(variables.iter().map(|name| Local::Variable(name)));
        let linked = link(self, scope);
        scope.locals.truncate(outside);
        linked
    }

    fn operation(
        &mut self,
        left: Expr<'s>,
        op: BinaryOp<&'s str>,
        right: Expr<'s>,
        scope: &mut Scope<'s>,
    ) -> Result<Linked<'s>> {
        let left = self.term(left, scope)?;
        if let BinaryOp::Pipe(Some(pattern)) = op {
            let mut found = Vec::new();
            let pattern = self.pattern(pattern, scope, &mut found)?;
            let right = self.inside(&found, scope, |linker, scope| linker.term(right, scope))?;
            return Ok(binary(left, BinaryOp::Pipe(Some(pattern)), right));
        }
        let right = self.term(right, scope)?;
        let names = self.names;
        Ok(match op {
            BinaryOp::Math(math) => order::operation(names, left, BinaryOp::Math(math), right),
            BinaryOp::Cmp(cmp) => order::operation(names, left, BinaryOp::Cmp(cmp), right),
            BinaryOp::Update => updates::update(names, left, BinaryOp::Update, right),
            BinaryOp::Assign => updates::update(names, left, BinaryOp::Assign, right),
            BinaryOp::UpdateMath(math) => updates::update(names, left, BinaryOp::UpdateMath(math), right),
            BinaryOp::UpdateAlt => updates::update(names, left, BinaryOp::UpdateAlt, right),
            BinaryOp::Pipe(_) => pipe(left, right),
            BinaryOp::Comma => binary(left, BinaryOp::Comma, right),
            BinaryOp::Alt => binary(left, BinaryOp::Alt, right),
            BinaryOp::Or => binary(left, BinaryOp::Or, right),
            BinaryOp::And => binary(left, BinaryOp::And, right),
        })
    }

    fn fold(
        &mut self,
        name: &'s str,
        source: Expr<'s>,
        pattern: Pattern<&'s str>,
        args: Vec<Expr<'s>>,
        scope: &mut Scope<'s>,
    ) -> Result<Linked<'s>> {
        let source = self.term(source, scope)?;
        let mut found = Vec::new();
        let pattern = self.pattern(pattern, scope, &mut found)?;
        let mut args = args.into_iter();
        let init = self.term(args.next().unwrap_or(Term::Id), scope)?;
        let (update, extract) = self.inside(&found, scope, |linker, scope| {
            let update = linker.term(args.next().unwrap_or(Term::Id), scope)?;
            Ok((update, args.next().map(|t| linker.term(t, scope)).transpose()?))
        })?;
        Ok(order::fold(Word::Text(name), source, pattern, init, update, extract))
    }
}
