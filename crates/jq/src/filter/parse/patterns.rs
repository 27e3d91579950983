//! Patterns (`as [$a, {$b}]`), alternatives of them (`?//`), and the folds that bind them.

use super::tokens::Token;
use super::{Expr, Function, Parsed, Parser};
use crate::filter::term::{binary, pipe, text};
use jaq_core::load::parse::{BinaryOp, Pattern, Term};

type Pat<'s> = Pattern<&'s str>;

impl<'s> Parser<'s> {
    pub(super) fn fold(&mut self, name: &'s str) -> Parsed<Expr<'s>> {
        self.advance();
        let source = self.operators(0)?;
        self.expect_word("as")?;
        let (patterns, variables) = self.patterns()?;
        self.expect("(")?;
        let mut args = vec![self.query()?];
        self.expect(";")?;
        args.push(self.query()?);
        if name == "foreach" && self.op(";") {
            args.push(self.query()?);
        }
        self.expect(")")?;
        let mut patterns = patterns.into_iter();
        let first = patterns.next().expect("there is at least one pattern");
        if patterns.len() == 0 {
            return Ok(Term::Fold(name, Box::new(source), first, args));
        }
        // With alternatives: an array of all variables is bound first, one for every output.
        let all = variables.iter().map(|v| Term::Var(*v)).reduce(|l, r| binary(l, BinaryOp::Comma, r));
        let bound = Term::Arr(all.map(Box::new));
        let patterns = std::iter::once(first).chain(patterns).collect();
        let source = self.alternatives(source, patterns, &variables, bound);
        let pattern = Pattern::Arr(variables.iter().map(|v| Pattern::Var(*v)).collect());
        Ok(Term::Fold(name, Box::new(source), pattern, args))
    }

    pub(super) fn destructure(&mut self, source: Expr<'s>, commas: bool) -> Parsed<Expr<'s>> {
        let (mut patterns, variables) = self.patterns()?;
        self.expect("|")?;
        let body = self.pipe(commas)?;
        if patterns.len() == 1 {
            let op = BinaryOp::Pipe(patterns.pop());
            return Ok(binary(source, op, body));
        }
        Ok(self.alternatives(source, patterns, &variables, body))
    }

    /// `source as P1 ?// P2 … | body`, without `?//`.
    ///
    /// All variables start as null; an error in a pattern or in the body tries the next pattern.
    fn alternatives(
        &self,
        source: Expr<'s>,
        patterns: Vec<Pat<'s>>,
        variables: &[&'s str],
        body: Expr<'s>,
    ) -> Expr<'s> {
        let (value, dot) = (self.names.variable(), self.names.variable());
        let name = self.names.keep(dot.replacen('$', "!body", 1));
        let args: Vec<_> = variables.iter().map(|v| Term::Var(*v)).collect();
        let bind = |name, source, rest| binary(source, BinaryOp::Pipe(Some(Pattern::Var(name))), rest);
        let mut rest: Option<Expr<'s>> = None;
        for pattern in patterns.into_iter().rev() {
            let call = Term::Call(name, args.clone());
            let mut this = binary(Term::Var(value), BinaryOp::Pipe(Some(pattern)), call);
            for variable in variables {
                this = bind(*variable, Term::Num("null"), this);
            }
            rest = Some(match rest {
                None => this,
                Some(rest) => {
                    let again = pipe(Term::Var(dot), rest);
                    Term::TryCatch(Box::new(this), Some(Box::new(again)))
                }
            });
        }
        let rest = rest.expect("there is at least one pattern");
        let function = Function { name, args: variables.to_vec(), body };
        let rest = Term::Def(vec![function], Box::new(rest));
        bind(value, source, bind(dot, Term::Id, rest))
    }

    /// Patterns between `?//`, and all their variables.
    fn patterns(&mut self) -> Parsed<(Vec<Pat<'s>>, Vec<&'s str>)> {
        let mut variables = Vec::new();
        let mut patterns = vec![self.pattern(&mut variables)?];
        while self.op("?//") {
            patterns.push(self.pattern(&mut variables)?);
            // Each alternative is tried inside of the one before.
            self.descend(1)?;
        }
        variables.sort_unstable();
        variables.dedup();
        Ok((patterns, variables))
    }

    fn pattern(&mut self, variables: &mut Vec<&'s str>) -> Parsed<Pat<'s>> {
        self.nested(|parser| parser.one_pattern(variables))
    }

    fn one_pattern(&mut self, variables: &mut Vec<&'s str>) -> Parsed<Pat<'s>> {
        if let Token::Variable(name) = self.token {
            self.advance();
            variables.push(name);
            return Ok(Pattern::Var(name));
        }
        if self.op("[") {
            let mut elements = vec![self.pattern(variables)?];
            while self.op(",") {
                elements.push(self.pattern(variables)?);
            }
            return match self.op("]") {
                true => Ok(Pattern::Arr(elements)),
                false => self.unexpected(", expecting ',' or ']'"),
            };
        }
        if !self.op("{") {
            return self.unexpected(", expecting BINDING or '[' or '{'");
        }
        let mut members = Vec::new();
        loop {
            self.member_pattern(variables, &mut members)?;
            if !self.op(",") {
                break;
            }
        }
        match self.op("}") {
            true => Ok(Pattern::Obj(members)),
            false => self.unexpected(", expecting ',' or '}'"),
        }
    }

    fn member_pattern(&mut self, variables: &mut Vec<&'s str>, members: &mut Vec<(Expr<'s>, Pat<'s>)>) -> Parsed<()> {
        let key = match self.token {
            Token::Variable(name) => {
                self.advance();
                variables.push(name);
                members.push((text(&name[1..]), Pattern::Var(name)));
                if !self.op(":") {
                    return Ok(());
                }
                members.push((text(&name[1..]), self.pattern(variables)?));
                return Ok(());
            }
            Token::Word(w) if !w.contains("::") => {
                self.advance();
                text(w)
            }
            Token::Quote => self.string(None)?,
            Token::Format(f) => self.formatted(f)?,
            Token::Op("(") => self.computed_key()?,
            _ => return self.unexpected(""),
        };
        self.expect(":")?;
        members.push((key, self.pattern(variables)?));
        Ok(())
    }
}
