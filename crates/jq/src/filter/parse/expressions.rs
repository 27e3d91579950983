//! Pipes, commas, bindings and operators, and what may stand after a term.

use super::constants::is_constant_part;
use super::tokens::Token;
use super::{Expr, Parsed, Parser};
use crate::filter::term::{binary, pipe, text};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part, Path};

/// Pipelines longer than this become a balanced tree; it means the same and is not deep.
const LONG_CHAIN: usize = 64;

impl<'s> Parser<'s> {
    /// Everything, down to `|`.
    pub fn query(&mut self) -> Parsed<Expr<'s>> {
        self.pipe(true)
    }

    pub(super) fn pipe(&mut self, commas: bool) -> Parsed<Expr<'s>> {
        self.nested(|parser| {
            let mut stages = Vec::new();
            loop {
                if parser.token == Token::Word("def") {
                    let function = parser.function()?;
                    let rest = Box::new(parser.pipe(commas)?);
                    stages.push(Term::Def(vec![function], rest));
                    break;
                }
                stages.push(match commas {
                    true => parser.comma()?,
                    false => parser.binding(false)?,
                });
                if !parser.op("|") {
                    break;
                }
                // An update goes through the stages one inside the other.
                parser.descend(1)?;
            }
            Ok(match stages.len() {
                0..LONG_CHAIN => stages.into_iter().rev().reduce(|right, left| pipe(left, right)).unwrap_or(Term::Id),
                _ => balanced(stages, BinaryOp::Pipe(None)),
            })
        })
    }

    fn comma(&mut self) -> Parsed<Expr<'s>> {
        let mut terms = vec![self.binding(true)?];
        while self.op(",") {
            terms.push(match self.token {
                Token::Word("def") => self.pipe(true)?,
                _ => self.binding(true)?,
            });
        }
        let both = |left, right| binary(left, BinaryOp::Comma, right);
        Ok(match terms.len() {
            0..LONG_CHAIN => terms.into_iter().reduce(both).unwrap_or(Term::Id),
            _ => balanced(terms, BinaryOp::Comma),
        })
    }

    /// `label $x | …`, `… as $x | …` or an expression of operators.
    fn binding(&mut self, commas: bool) -> Parsed<Expr<'s>> {
        if self.word("label") {
            let name = self.variable()?;
            self.expect("|")?;
            return Ok(Term::Label(name, Box::new(self.pipe(commas)?)));
        }
        let source = self.operators(0)?;
        match self.word("as") {
            true => self.destructure(source, commas),
            false => Ok(source),
        }
    }

    pub(super) fn variable(&mut self) -> Parsed<&'s str> {
        match self.token {
            Token::Variable(name) if !name.contains("::") => {
                self.advance();
                Ok(name)
            }
            _ => self.unexpected(", expecting BINDING"),
        }
    }

    /// Operators by precedence, from `//` (weakest) to `*`.
    pub(super) fn operators(&mut self, weakest: u8) -> Parsed<Expr<'s>> {
        self.nested(|parser| parser.chain(weakest))
    }

    fn chain(&mut self, weakest: u8) -> Parsed<Expr<'s>> {
        let mut left = if self.op("-") { self.negation()? } else { self.postfix()? };
        while let Some((strength, kind, op)) = self.operator() {
            if strength < weakest {
                break;
            }
            self.advance();
            let right = self.operators(match kind {
                Side::Right => strength,
                Side::Left | Side::None => strength + 1,
            })?;
            if matches!(kind, Side::None) && self.operator().is_some_and(|(next, ..)| next == strength) {
                return self.unexpected("");
            }
            left = binary(left, op, right);
            // What stands on the left is one level deeper now.
            self.descend(1)?;
        }
        Ok(left)
    }

    /// What a minus sign stands before: it binds more tightly than any operator.
    fn negation(&mut self) -> Parsed<Expr<'s>> {
        let inner = if self.op("-") { self.nested(Self::negation)? } else { self.postfix()? };
        Ok(Term::Neg(Box::new(inner)))
    }

    fn operator(&self) -> Option<(u8, Side, BinaryOp<&'s str>)> {
        use Side::{Left, None as Neither, Right};
        Some(match self.token {
            Token::Op("//") => (1, Right, BinaryOp::Alt),
            Token::Op("=") => (2, Neither, BinaryOp::Assign),
            Token::Op("|=") => (2, Neither, BinaryOp::Update),
            Token::Op("+=") => (2, Neither, BinaryOp::UpdateMath(Math::Add)),
            Token::Op("-=") => (2, Neither, BinaryOp::UpdateMath(Math::Sub)),
            Token::Op("*=") => (2, Neither, BinaryOp::UpdateMath(Math::Mul)),
            Token::Op("/=") => (2, Neither, BinaryOp::UpdateMath(Math::Div)),
            Token::Op("%=") => (2, Neither, BinaryOp::UpdateMath(Math::Rem)),
            Token::Op("//=") => (2, Neither, BinaryOp::UpdateAlt),
            Token::Word("or") => (3, Left, BinaryOp::Or),
            Token::Word("and") => (4, Left, BinaryOp::And),
            Token::Op("==") => (5, Neither, BinaryOp::Cmp(Cmp::Eq)),
            Token::Op("!=") => (5, Neither, BinaryOp::Cmp(Cmp::Ne)),
            Token::Op("<") => (5, Neither, BinaryOp::Cmp(Cmp::Lt)),
            Token::Op("<=") => (5, Neither, BinaryOp::Cmp(Cmp::Le)),
            Token::Op(">") => (5, Neither, BinaryOp::Cmp(Cmp::Gt)),
            Token::Op(">=") => (5, Neither, BinaryOp::Cmp(Cmp::Ge)),
            Token::Op("+") => (6, Left, BinaryOp::Math(Math::Add)),
            Token::Op("-") => (6, Left, BinaryOp::Math(Math::Sub)),
            Token::Op("*") => (MULTIPLICATION, Left, BinaryOp::Math(Math::Mul)),
            Token::Op("/") => (MULTIPLICATION, Left, BinaryOp::Math(Math::Div)),
            Token::Op("%") => (MULTIPLICATION, Left, BinaryOp::Math(Math::Rem)),
            _ => return None,
        })
    }

    /// A term with everything that may stand after it: `.a`, `[…]`, `?`.
    pub(super) fn postfix(&mut self) -> Parsed<Expr<'s>> {
        self.nested(Self::with_suffixes)
    }

    fn with_suffixes(&mut self) -> Parsed<Expr<'s>> {
        let mut term = self.term()?;
        loop {
            let part = match self.token {
                Token::Field(name) => {
                    self.advance();
                    Part::Index(text(&name[1..]))
                }
                Token::Op(".") => {
                    self.advance();
                    match self.token {
                        Token::Quote => Part::Index(self.string(None)?),
                        Token::Format(f) => Part::Index(self.formatted(f)?),
                        Token::Op("[") => self.bracket()?,
                        _ => {
                            return self.unexpected(", expecting FORMAT or QQSTRING_START or '['");
                        }
                    }
                }
                Token::Op("[") => self.bracket()?,
                Token::Op("?") => {
                    self.advance();
                    term = Term::TryCatch(Box::new(term), None);
                    self.descend(1)?;
                    continue;
                }
                _ => return Ok(term),
            };
            if !is_constant_part(&part) {
                // Its outputs are a loop around the rest of the path.
                self.descend(1)?;
            }
            let mut opt = Opt::Essential;
            while self.op("?") {
                opt = Opt::Optional;
            }
            term = match term {
                Term::Path(base, mut path) => {
                    path.0.push((part, opt));
                    Term::Path(base, path)
                }
                base => Term::Path(Box::new(base), Path(vec![(part, opt)])),
            };
        }
    }

    /// `[…]` after a term.
    fn bracket(&mut self) -> Parsed<Part<Expr<'s>>> {
        self.expect("[")?;
        if self.op("]") {
            return Ok(Part::Range(None, None));
        }
        if self.op(":") {
            let upto = self.query()?;
            self.expect("]")?;
            return Ok(Part::Range(None, Some(upto)));
        }
        let from = self.query()?;
        let part = if self.op(":") {
            match self.token {
                Token::Op("]") => Part::Range(Some(from), None),
                _ => Part::Range(Some(from), Some(self.query()?)),
            }
        } else {
            Part::Index(from)
        };
        self.expect("]")?;
        Ok(part)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    None,
}

const MULTIPLICATION: u8 = 7;

/// A chain of an operator for which it does not matter what is combined first.
fn balanced<'s>(mut terms: Vec<Expr<'s>>, op: BinaryOp<&'s str>) -> Expr<'s> {
    match terms.len() {
        0 | 1 => terms.pop().unwrap_or(Term::Id),
        n => {
            let right = terms.split_off(n / 2);
            binary(balanced(terms, op.clone()), op.clone(), balanced(right, op))
        }
    }
}
