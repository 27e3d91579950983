//! jq 1.8's grammar, to the terms of jaq-core.
//!
//! Our own parser, because jaq-core's does not know all of jq's syntax (`?//`, `$__loc__`,
//! `reduce 1 + 2 as …`, `.5`) and says less about errors. What jaq-core's interpreter has no term
//! for is written in terms that it has.

mod constants;
mod expressions;
mod patterns;
mod strings;
mod terms;
mod tokens;

pub use constants::constant_value;

use super::term::is_constant;
use constants::constant_text;
use jaq_core::load::parse::{Def, Term};
use std::cell::Cell;
use tokens::{KEYWORDS, Token};

pub type Expr<'s> = Term<&'s str>;
pub type Function<'s> = Def<&'s str, Expr<'s>>;

/// Names that are made up live as long as the program's text.
pub struct Names {
    arena: jaq_core::load::Arena,
    count: Cell<usize>,
}

impl Names {
    pub fn new() -> Self {
        Self { arena: Default::default(), count: Cell::new(0) }
    }

    pub fn keep(&self, name: String) -> &str {
        self.arena.alloc(name)
    }

    /// A variable that no program can name.
    pub fn variable(&self) -> &str {
        self.count.set(self.count.get() + 1);
        self.keep(format!("$!{}", self.count.get()))
    }
}

/// What is wrong with a program's text, and which part of it.
#[derive(Debug, Clone)]
pub struct SyntaxError {
    pub what: String,
    pub start: usize,
    pub end: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

/// How many levels of its grammar a program may be nested: as many as the parser of jq keeps symbols. Everything that
/// walks the terms recurses.
const MAX_NESTING: usize = 10_000;

/// `import "path" as name {meta};` or `include "path" {meta};`
pub struct Import<'s> {
    pub path: String,
    /// `$name` for data, `None` for an include
    pub name: Option<&'s str>,
    pub meta: Option<Expr<'s>>,
    pub at: usize,
}

/// A parsed program or module.
pub struct Module<'s> {
    pub meta: Option<Expr<'s>>,
    pub imports: Vec<Import<'s>>,
    pub functions: Vec<Function<'s>>,
    pub main: Option<Expr<'s>>,
}

pub struct Parser<'s> {
    text: &'s str,
    /// where the text's name is `<top-level>` or a file, for `$__loc__`
    file: &'s str,
    names: &'s Names,
    at: usize,
    token: Token<'s>,
    start: usize,
    /// where the token before stands
    before: usize,
    before_start: usize,
    /// how many levels are open
    depth: usize,
}

impl<'s> Parser<'s> {
    pub fn new(text: &'s str, file: &'s str, names: &'s Names) -> Self {
        let mut parser =
            Self { text, file, names, at: 0, token: Token::End, start: 0, before: 0, before_start: 0, depth: 0 };
        parser.advance();
        parser
    }

    /// Parses a whole text.
    pub fn module(mut self) -> Parsed<Module<'s>> {
        let meta = if self.word("module") {
            let start = self.start;
            let meta = self.query()?;
            self.constant_object(&meta, start)?;
            self.expect(";")?;
            Some(meta)
        } else {
            None
        };
        let mut imports = Vec::new();
        while let Token::Word("import" | "include") = self.token {
            imports.push(self.import()?);
        }
        let mut functions = Vec::new();
        while self.token == Token::Word("def") {
            functions.push(self.function()?);
            // The program is linked as what follows its definitions, inside of them.
            self.descend(1)?;
        }
        let main = match self.token {
            Token::End => None,
            _ => Some(self.query()?),
        };
        match self.token {
            Token::End => Ok(Module { meta, imports, functions, main }),
            _ => self.unexpected(", expecting end of file"),
        }
    }

    fn import(&mut self) -> Parsed<Import<'s>> {
        let at = self.start;
        let include = self.token == Token::Word("include");
        self.advance();
        if self.token != Token::Quote {
            return self.unexpected(", expecting FORMAT or QQSTRING_START");
        }
        let start = self.start;
        let path = match self.string(None)? {
            Term::Str(None, parts) => constant_text(&parts),
            _ => None,
        };
        let Some(path) = path else {
            return self.fail("Import path must be constant", start);
        };
        let name = if include {
            None
        } else {
            self.expect_word("as")?;
            match self.token {
                Token::Word(w) | Token::Variable(w) if !w.contains("::") => {
                    self.advance();
                    Some(w)
                }
                _ => return self.unexpected(", expecting IDENT or BINDING"),
            }
        };
        let meta = if self.token == Token::Op(";") {
            None
        } else {
            let start = self.start;
            let meta = self.query()?;
            self.constant_object(&meta, start)?;
            Some(meta)
        };
        self.expect(";")?;
        Ok(Import { path, name, meta, at })
    }

    fn constant_object(&self, meta: &Expr<'s>, start: usize) -> Parsed<()> {
        if !is_constant(meta) {
            return self.fail("Module metadata must be constant", start);
        }
        match meta {
            Term::Obj(_) => Ok(()),
            _ => self.fail("Module metadata must be an object", start),
        }
    }

    fn function(&mut self) -> Parsed<Function<'s>> {
        self.advance();
        let name = match self.token {
            Token::Word(w) if !w.contains("::") && !KEYWORDS.contains(&w) => w,
            // Formats are functions of this engine's own library.
            Token::Format(w) if self.file.is_empty() => w,
            _ => return self.unexpected(", expecting IDENT"),
        };
        self.advance();
        let mut args = Vec::new();
        if self.op("(") {
            loop {
                match self.token {
                    Token::Word(w) if !w.contains("::") => args.push(w),
                    Token::Variable(w) if !w.contains("::") => args.push(w),
                    _ => return self.unexpected(", expecting IDENT or BINDING"),
                }
                self.advance();
                if !self.op(";") {
                    break;
                }
            }
            self.expect(")")?;
        }
        self.expect(":")?;
        let body = self.query()?;
        self.expect(";")?;
        Ok(Function { name, args, body })
    }
}
