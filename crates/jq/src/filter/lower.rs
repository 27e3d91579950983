//! The last step before jaq-core: a linked program with texts in the place of words again.
//!
//! jaq-core finds functions by their names, so each of the library gets one that no program can spell.

use super::builtin::{Builtin, Param};
use super::direct;
use super::engine::Engine;
use super::link::Definition;
use super::parse::{Expr, Function, Names};
use super::term::{Linked, Word};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Part, Path};
use jaq_core::{Bind, Native};

/// A native function with the name and the arguments that jaq-core is to know it by.
pub type NamedNative<'s> = (&'s str, Box<[Bind]>, Native<Engine>);

/// A program as jaq-core takes it.
pub struct Lowered<'s> {
    pub definitions: Vec<Function<'s>>,
    pub natives: Vec<NamedNative<'s>>,
}

struct Lowering<'s> {
    names: &'s Names,
    library: Vec<(&'static Builtin, &'s str)>,
    natives: Vec<NamedNative<'s>>,
}

/// Lowers the definitions of a linker, which are in their order.
pub fn lower<'s>(names: &'s Names, definitions: Vec<Definition<'s>>) -> Lowered<'s> {
    let mut lowering = Lowering { names, library: Vec::new(), natives: Vec::new() };
    let definitions = definitions.into_iter().map(|d| lowering.definition(d)).collect();
    Lowered { definitions, natives: lowering.natives }
}

impl<'s> Lowering<'s> {
    fn definition(&mut self, definition: Definition<'s>) -> Function<'s> {
        let name = self.word(definition.name);
        let args = definition.args.into_iter().map(Word::text).collect();
        Function { name, args, body: self.term(definition.body) }
    }

    fn word(&mut self, word: Word<'s>) -> &'s str {
        match word {
            Word::Builtin(builtin) => self.builtin(builtin),
            other => other.text(),
        }
    }

    fn builtin(&mut self, builtin: &'static Builtin) -> &'s str {
        if let Some((_, name)) = self.library.iter().find(|(known, _)| *known == builtin) {
            return name;
        }
        let name = self.names.keep(format!("{}/{}", builtin.name, builtin.params.len()));
        self.library.push((builtin, name));
        let bind = |param: &Param| if *param == Param::Value { Bind::Var(()) } else { Bind::Fun(()) };
        self.natives.extend(builtin.native().map(|native| (name, builtin.params.iter().map(bind).collect(), native)));
        name
    }

    /// The function of a term that is evaluated directly: variables come first, the others are filters.
    fn direct(&mut self, number: usize, outer: usize, arity: usize) -> &'s str {
        let name = self.names.keep(format!("direct/{number}"));
        let params = (0..arity).map(|i| if i < outer { Bind::Var(()) } else { Bind::Fun(()) });
        self.natives.push((name, params.collect(), direct::native(number)));
        name
    }

    fn boxed(&mut self, term: Linked<'s>) -> Box<Expr<'s>> {
        Box::new(self.term(term))
    }

    fn terms(&mut self, terms: Vec<Linked<'s>>) -> Vec<Expr<'s>> {
        terms.into_iter().map(|t| self.term(t)).collect()
    }

    fn term(&mut self, term: Linked<'s>) -> Expr<'s> {
        match term {
            Term::Id => Term::Id,
            Term::Recurse => Term::Recurse,
            Term::Num(text) => Term::Num(text.text()),
            Term::Str(format, parts) => {
                let parts = parts.into_iter().map(|part| match part {
                    StrPart::Str(text) => StrPart::Str(text.text()),
                    StrPart::Char(c) => StrPart::Char(c),
                    StrPart::Term(t) => StrPart::Term(self.term(t)),
                });
                let parts = parts.collect();
                Term::Str(format.map(|format| self.word(format)), parts)
            }
            Term::Arr(inner) => Term::Arr(inner.map(|t| self.boxed(*t))),
            Term::Neg(t) => Term::Neg(self.boxed(*t)),
            Term::Obj(members) => {
                let member = |(key, value): (Linked<'s>, Option<Linked<'s>>)| {
                    (self.term(key), value.map(|value| self.term(value)))
                };
                Term::Obj(members.into_iter().map(member).collect())
            }
            Term::BinOp(l, op, r) => {
                let l = self.boxed(*l);
                let op = self.operator(op);
                Term::BinOp(l, op, self.boxed(*r))
            }
            Term::Label(name, body) => Term::Label(name.text(), self.boxed(*body)),
            Term::Break(name) => Term::Break(name.text()),
            Term::Fold(name, source, pattern, args) => {
                let source = self.boxed(*source);
                let pattern = self.pattern(pattern);
                Term::Fold(name.text(), source, pattern, self.terms(args))
            }
            Term::TryCatch(body, handler) => Term::TryCatch(self.boxed(*body), handler.map(|h| self.boxed(*h))),
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.into_iter().map(|(c, t)| (self.term(c), self.term(t))).collect();
                Term::IfThenElse(cases, otherwise.map(|t| self.boxed(*t)))
            }
            Term::Def(definitions, body) => {
                let definitions = definitions.into_iter().map(|d| self.definition(d)).collect();
                Term::Def(definitions, self.boxed(*body))
            }
            Term::Call(word, args) => {
                let name = match word {
                    Word::Direct(number, outer) => self.direct(number, outer, args.len()),
                    word => self.word(word),
                };
                Term::Call(name, self.terms(args))
            }
            Term::Var(name) => Term::Var(name.text()),
            Term::Path(base, parts) => {
                let base = self.boxed(*base);
                let parts = parts.0.into_iter().map(|(part, opt)| {
                    let part = match part {
                        Part::Index(i) => Part::Index(self.term(i)),
                        Part::Range(from, upto) => Part::Range(from.map(|t| self.term(t)), upto.map(|t| self.term(t))),
                    };
                    (part, opt)
                });
                Term::Path(base, Path(parts.collect()))
            }
        }
    }

    fn operator(&mut self, op: BinaryOp<Word<'s>>) -> BinaryOp<&'s str> {
        match op {
            BinaryOp::Pipe(pattern) => BinaryOp::Pipe(pattern.map(|p| self.pattern(p))),
            BinaryOp::Comma => BinaryOp::Comma,
            BinaryOp::Alt => BinaryOp::Alt,
            BinaryOp::Or => BinaryOp::Or,
            BinaryOp::And => BinaryOp::And,
            BinaryOp::Math(math) => BinaryOp::Math(math),
            BinaryOp::Cmp(cmp) => BinaryOp::Cmp(cmp),
            BinaryOp::Assign => BinaryOp::Assign,
            BinaryOp::Update => BinaryOp::Update,
            BinaryOp::UpdateMath(math) => BinaryOp::UpdateMath(math),
            BinaryOp::UpdateAlt => BinaryOp::UpdateAlt,
        }
    }

    fn pattern(&mut self, pattern: Pattern<Word<'s>>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(name) => Pattern::Var(name.text()),
            Pattern::Arr(elements) => Pattern::Arr(elements.into_iter().map(|p| self.pattern(p)).collect()),
            Pattern::Obj(members) => {
                Pattern::Obj(members.into_iter().map(|(key, p)| (self.term(key), self.pattern(p))).collect())
            }
        }
    }
}
