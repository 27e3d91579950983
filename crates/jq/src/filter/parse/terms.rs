//! Terms: literals, fields, calls, conditions, arrays and objects.

use super::constants::constant_value;
use super::tokens::{KEYWORDS, Token};
use super::{Expr, Parsed, Parser, SyntaxError};
use crate::filter::term::{is_constant, path, pipe, text};
use jaq_core::load::parse::Term;
use jaq_core::path::{Opt, Part};

impl<'s> Parser<'s> {
    pub(super) fn term(&mut self) -> Parsed<Expr<'s>> {
        let start = self.start;
        match self.token {
            Token::Number(n) => {
                self.advance();
                Ok(Term::Num(n))
            }
            Token::Quote => self.string(None),
            Token::Format(f) => self.formatted(f),
            Token::Field(name) => {
                self.advance();
                let mut opt = Opt::Essential;
                while self.op("?") {
                    opt = Opt::Optional;
                }
                Ok(path(Term::Id, Part::Index(text(&name[1..])), opt))
            }
            Token::Op("..") => {
                self.advance();
                Ok(Term::Recurse)
            }
            Token::Op(".") => {
                self.advance();
                let key = match self.token {
                    Token::Quote => self.string(None)?,
                    Token::Format(f) if self.text[self.at..].starts_with('"') => self.formatted(f)?,
                    _ => return Ok(Term::Id),
                };
                let mut opt = Opt::Essential;
                while self.op("?") {
                    opt = Opt::Optional;
                }
                Ok(path(Term::Id, Part::Index(key), opt))
            }
            Token::Op("(") => {
                self.advance();
                let inner = self.query()?;
                self.expect(")")?;
                // Keeps `(.a).b` apart from `.a.b`, which binds the `?`s differently.
                Ok(match inner {
                    Term::Path(..) => pipe(inner, Term::Id),
                    inner => inner,
                })
            }
            Token::Op("[") => {
                self.advance();
                if self.op("]") {
                    return Ok(Term::Arr(None));
                }
                let inner = self.query()?;
                self.expect("]")?;
                Ok(Term::Arr(Some(Box::new(inner))))
            }
            Token::Op("{") => self.object(),
            Token::Op("-") => {
                self.advance();
                Ok(Term::Neg(Box::new(self.postfix()?)))
            }
            Token::Variable("$__loc__") => {
                self.advance();
                let line = 1 + self.text[..start].matches('\n').count();
                let file = if self.file.is_empty() { "<builtin>" } else { self.file };
                let mut map = crate::value::Map::default();
                map.insert("file".into(), file.into());
                map.insert("line".into(), line.into());
                let text = crate::value::Value::object(map).to_string();
                Ok(Term::Num(self.names.keep(text)))
            }
            Token::Variable(name) => {
                self.advance();
                Ok(Term::Var(name))
            }
            Token::Word("if") => self.conditional(),
            Token::Word("try") => {
                self.advance();
                let body = self.postfix()?;
                let handler = match self.word("catch") {
                    true => Some(Box::new(self.postfix()?)),
                    false => None,
                };
                Ok(Term::TryCatch(Box::new(body), handler))
            }
            Token::Word(name @ ("reduce" | "foreach")) => self.fold(name),
            Token::Word("break") => {
                self.advance();
                match self.token {
                    Token::Variable(_) => Ok(Term::Break(self.variable()?)),
                    _ => self.fail("break requires a label to break to", start),
                }
            }
            Token::Word("def") => self.pipe(true),
            Token::Word(w) if KEYWORDS.contains(&w) => self.unexpected(""),
            Token::Word(name) => {
                self.advance();
                let mut args = Vec::new();
                let depth = self.depth;
                if self.op("(") {
                    loop {
                        args.push(self.query()?);
                        self.descend(1)?;
                        if !self.op(";") {
                            break;
                        }
                    }
                    self.expect(")")?;
                }
                self.depth = depth;
                Ok(match (name, args.is_empty()) {
                    // Any JSON text is a "number" to our values.
                    ("null" | "true" | "false", true) => Term::Num(name),
                    _ => Term::Call(name, args),
                })
            }
            _ => self.unexpected(""),
        }
    }

    fn conditional(&mut self) -> Parsed<Expr<'s>> {
        let start = self.start;
        self.advance();
        let mut cases = Vec::new();
        let otherwise = loop {
            let condition = self.query()?;
            self.expect_word("then")?;
            cases.push((condition, self.query()?));
            if self.word("elif") {
                continue;
            }
            break match self.word("else") {
                true => Some(Box::new(self.query()?)),
                false => None,
            };
        };
        if !self.word("end") {
            return match self.token {
                Token::End => self.fail("Possibly unterminated 'if' statement", start),
                _ => self.unexpected(", expecting end"),
            };
        }
        Ok(Term::IfThenElse(cases, otherwise))
    }

    /// `(…)` as a key: a constant has to be a string.
    pub(super) fn computed_key(&mut self) -> Parsed<Expr<'s>> {
        self.expect("(")?;
        let start = self.start;
        let key = self.query()?;
        if is_constant(&key) && !matches!(key, Term::Str(..)) {
            let value = constant_value(&key);
            let what = format!("Cannot use {} as object key", value.described());
            return Err(SyntaxError { what, start, end: start + 1 });
        }
        self.expect(")")?;
        Ok(key)
    }

    fn object(&mut self) -> Parsed<Expr<'s>> {
        self.advance();
        let depth = self.depth;
        let mut members = Vec::new();
        while self.token != Token::Op("}") {
            members.push(self.member()?);
            // The combinations of all members' outputs are loops inside each other.
            self.descend(1)?;
            if !self.op(",") {
                break;
            }
        }
        self.depth = depth;
        match self.op("}") {
            true => Ok(Term::Obj(members)),
            false if self.token == Token::End => self.unexpected(""),
            false => self.unexpected(", expecting ',' or '}'"),
        }
    }

    fn member(&mut self) -> Parsed<(Expr<'s>, Option<Expr<'s>>)> {
        let key = match self.token {
            Token::Variable(name) => {
                if name == "$__loc__" {
                    return Ok((text("__loc__"), Some(self.term()?)));
                }
                self.advance();
                if self.op(":") {
                    return Ok((Term::Var(name), Some(self.pipe(false)?)));
                }
                let key = name.rsplit("::").next().unwrap_or(name).trim_start_matches('$');
                return Ok((text(key), Some(Term::Var(name))));
            }
            Token::Word(w) => {
                self.advance();
                text(w)
            }
            Token::Number(_) => {
                let start = self.start;
                let n = self.term()?;
                if self.token == Token::Op(":") {
                    let what = format!("Cannot use {} as object key", constant_value(&n).described());
                    return self.fail(what, start);
                }
                return self.unexpected("");
            }
            Token::Quote => self.string(None)?,
            Token::Format(f) => {
                self.advance();
                if self.token != Token::Quote {
                    return self.unexpected(", expecting QQSTRING_START");
                }
                self.string(Some(f))?
            }
            Token::Op("(") => {
                let key = self.computed_key()?;
                self.expect(":")?;
                return Ok((key, Some(self.pipe(false)?)));
            }
            Token::Op(_) => {
                let start = self.start;
                self.unexpected::<()>("").or_else(|e| match self.operators(0) {
                    Ok(_) if self.token == Token::Op(":") => {
                        self.fail("May need parentheses around object key expression", start)
                    }
                    _ => Err(e),
                })?;
                unreachable!("both ways are errors")
            }
            _ => return self.unexpected(""),
        };
        match self.op(":") {
            true => Ok((key, Some(self.pipe(false)?))),
            false => Ok((key, None)),
        }
    }
}
