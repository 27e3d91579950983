//! jq 1.8's grammar, to the terms of jaq-core.
//!
//! Our own parser, because jaq-core's does not know all of jq's syntax (`?//`, `$__loc__`,
//! `reduce 1 + 2 as …`, `.5`) and says less about errors. What jaq-core's interpreter has no term
//! for is written in terms that it has.

use crate::value::ceil_char_boundary;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part, Path};
use std::cell::Cell;

pub type Expr<'s> = Term<&'s str>;
type Pat<'s> = Pattern<&'s str>;
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

/// Pipelines longer than this become a balanced tree; it means the same and is not deep.
const LONG_CHAIN: usize = 64;

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

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'s> {
    Word(&'s str),
    Field(&'s str),
    Variable(&'s str),
    Format(&'s str),
    Number(&'s str),
    Quote,
    Op(&'s str),
    Invalid,
    End,
}

const KEYWORDS: &[&str] = &[
    "as", "def", "module", "import", "include", "if", "then", "else", "elif", "reduce", "foreach", "end", "and", "or",
    "try", "catch", "label", "break", "__loc__",
];

impl Token<'_> {
    /// jq's name of the token, for messages.
    fn name(&self) -> String {
        match self {
            Self::Word(w) if KEYWORDS.contains(w) => (*w).into(),
            Self::Word(_) => "IDENT".into(),
            Self::Field(_) => "FIELD".into(),
            Self::Variable(_) => "BINDING".into(),
            Self::Format(_) => "FORMAT".into(),
            Self::Number(_) => "LITERAL".into(),
            Self::Quote => "QQSTRING_START".into(),
            Self::Op("..") => "..".into(),
            Self::Op(op) if op.len() == 1 => format!("'{op}'"),
            Self::Op(op) => (*op).into(),
            Self::Invalid => "INVALID_CHARACTER".into(),
            Self::End => "end of file".into(),
        }
    }
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

    // Tokens

    fn lex(&mut self) {
        self.space();
        self.start = self.at;
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
        let identifier = |from: usize| {
            let tail = &bytes[from.min(bytes.len())..];
            let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
            from + tail.iter().position(|b| !word(b)).unwrap_or(tail.len())
        };
        let starts_word = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let qualified = |from: usize| {
            let mut end = identifier(from);
            while at(end) == b':' && at(end + 1) == b':' && starts_word(at(end + 2)) {
                end = identifier(end + 2);
            }
            end
        };
        let (len, token): (usize, fn(&'s str) -> Token<'s>) = match at(0) {
            0 if rest.is_empty() => (0, |_| Token::End),
            b'"' => (1, |_| Token::Quote),
            // Names of this engine's own library that no program can spell.
            b'`' if self.file.is_empty() => {
                let len = 2 + rest[1..].find('`').unwrap_or(0);
                (len, |quoted| Token::Word(&quoted[1..quoted.len() - 1]))
            }
            b if starts_word(b) => (qualified(0), Token::Word),
            b'$' if starts_word(at(1)) => (qualified(1), Token::Variable),
            b'@' if identifier(1) > 1 => (identifier(1), Token::Format),
            b'.' if starts_word(at(1)) => (identifier(1), Token::Field),
            b'0'..=b'9' => (number_length(bytes), Token::Number),
            b'.' if at(1).is_ascii_digit() => (number_length(bytes), Token::Number),
            _ => {
                const OPS: &[&str] = &[
                    "?//=", "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//", "..", "?",
                    "=", "<", ">", "+", "-", "*", "/", "%", "|", ",", ".", "[", "]", "{", "}", "(", ")", ":", ";", "$",
                ];
                match OPS.iter().skip(1).find(|op| rest.starts_with(**op)) {
                    Some(op) => (op.len(), Token::Op),
                    None => (rest.chars().next().map_or(0, char::len_utf8), |_| Token::Invalid),
                }
            }
        };
        self.token = token(&rest[..len]);
        self.at += len;
    }

    fn advance(&mut self) {
        (self.before_start, self.before) = (self.start, self.at);
        self.lex();
    }

    /// White space and comments; a backslash at a comment's end continues it.
    fn space(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\r', '\n']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            let mut end = 0;
            let bytes = rest.as_bytes();
            while end < bytes.len() && bytes[end] != b'\n' {
                let escaped = bytes[end] == b'\\';
                if escaped && matches!(&bytes[end + 1..], [b'\\' | b'\n', ..]) {
                    end += 2;
                } else if escaped && bytes[end + 1..].starts_with(b"\r\n") {
                    end += 3;
                } else {
                    end += 1;
                }
            }
            self.at += end;
        }
    }

    fn op(&mut self, op: &str) -> bool {
        let found = self.token == Token::Op(op);
        if found {
            self.advance();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.token == Token::Word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, op: &str) -> Parsed<()> {
        match self.op(op) {
            true => Ok(()),
            false => self.unexpected(&format!(", expecting '{op}'")),
        }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        match self.word(word) {
            true => Ok(()),
            false => self.unexpected(&format!(", expecting {word}")),
        }
    }

    fn unexpected<T>(&self, expecting: &str) -> Parsed<T> {
        let (start, end) = match self.token {
            // The end is shown at the last token that there is.
            Token::End => (self.before_start, self.before),
            _ => (self.start, self.at),
        };
        let what = format!("syntax error, unexpected {}{expecting}", self.token.name());
        Err(SyntaxError { what, start, end })
    }

    fn fail<T>(&self, what: impl Into<String>, start: usize) -> Parsed<T> {
        Err(SyntaxError { what: what.into(), start, end: self.before.max(start) })
    }

    /// Parses one level of nesting. Levels that are opened in it end with it.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let depth = self.depth;
        self.descend(1)?;
        let parsed = parse(self);
        self.depth = depth;
        parsed
    }

    /// Counts levels; they end with the caller's.
    fn descend(&mut self, levels: usize) -> Parsed<()> {
        self.depth += levels;
        match self.depth > MAX_NESTING {
            true => {
                let what = format!("the program is nested deeper than {MAX_NESTING} levels");
                Err(SyntaxError { what, start: self.start, end: self.at })
            }
            false => Ok(()),
        }
    }

    // Modules

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

    // Expressions

    /// Everything, down to `|`.
    pub fn query(&mut self) -> Parsed<Expr<'s>> {
        self.pipe(true)
    }

    fn pipe(&mut self, commas: bool) -> Parsed<Expr<'s>> {
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

    fn variable(&mut self) -> Parsed<&'s str> {
        match self.token {
            Token::Variable(name) if !name.contains("::") => {
                self.advance();
                Ok(name)
            }
            _ => self.unexpected(", expecting BINDING"),
        }
    }

    /// Operators by precedence, from `//` (weakest) to `*`.
    fn operators(&mut self, weakest: u8) -> Parsed<Expr<'s>> {
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
    fn postfix(&mut self) -> Parsed<Expr<'s>> {
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

    fn term(&mut self) -> Parsed<Expr<'s>> {
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

    fn fold(&mut self, name: &'s str) -> Parsed<Expr<'s>> {
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

    fn destructure(&mut self, source: Expr<'s>, commas: bool) -> Parsed<Expr<'s>> {
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

    /// `(…)` as a key: a constant has to be a string.
    fn computed_key(&mut self) -> Parsed<Expr<'s>> {
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

    // Strings

    /// `@format` alone or before a string.
    fn formatted(&mut self, format: &'s str) -> Parsed<Expr<'s>> {
        self.advance();
        match self.token {
            Token::Quote => self.string(Some(format)),
            _ => Ok(Term::Call(format, Vec::new())),
        }
    }

    fn string(&mut self, format: Option<&'s str>) -> Parsed<Expr<'s>> {
        let open = self.start;
        let depth = self.depth;
        let mut parts = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let len = rest.find(['"', '\\']).unwrap_or(rest.len());
            if len > 0 {
                parts.push(StrPart::Str(&rest[..len]));
                self.at += len;
            }
            let rest = &self.text[self.at..];
            match rest.as_bytes() {
                [] => {
                    let what = "syntax error, unexpected end of file, expecting QQSTRING_TEXT or \
                                QQSTRING_INTERP_START or QQSTRING_END";
                    let end = self.text.len();
                    return Err(SyntaxError { what: what.into(), start: open + 1, end });
                }
                [b'"', ..] => {
                    self.at += 1;
                    self.advance();
                    self.depth = depth;
                    return Ok(Term::Str(None, parts));
                }
                [b'\\', b'(', ..] => {
                    self.at += 2;
                    self.advance();
                    let mut inner = self.query()?;
                    if self.token != Token::Op(")") {
                        return self.unexpected(", expecting QQSTRING_INTERP_END or '|' or ','");
                    }
                    // The rest of the string is not tokens: no advance() here.
                    if let Some(format) = format {
                        inner = pipe(inner, Term::Call(format, Vec::new()));
                    }
                    parts.push(StrPart::Term(inner));
                    // As with members: the outputs of all parts are combined by loops inside each other.
                    self.descend(1)?;
                }
                _ => self.escape(&mut parts)?,
            }
        }
    }

    fn escape(&mut self, parts: &mut Vec<StrPart<&'s str, Expr<'s>>>) -> Parsed<()> {
        let start = self.at;
        let rest = &self.text[start..];
        let simple = match rest.as_bytes().get(1) {
            Some(b'n') => Some('\n'),
            Some(b't') => Some('\t'),
            Some(b'r') => Some('\r'),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(c @ (b'"' | b'\\' | b'/')) => Some(*c as char),
            _ => None,
        };
        if let Some(c) = simple {
            parts.push(StrPart::Char(c));
            self.at += 2;
            return Ok(());
        }
        let unit = |at: usize| {
            let digits = self.text.get(at + 2..at + 6)?;
            let good = self.text[at..].starts_with("\\u") && digits.bytes().all(|b| b.is_ascii_hexdigit());
            good.then_some(&self.text[at..at + 6])
        };
        let Some(first) = unit(start) else {
            let end = (start + 2).min(self.text.len());
            let end = ceil_char_boundary(self.text, end);
            let what = "invalid escape in string literal".into();
            return Err(SyntaxError { what, start, end });
        };
        let is_high = matches!(u16::from_str_radix(&first[2..], 16), Ok(0xd800..0xdc00));
        let escape = match unit(start + 6).filter(|_| is_high) {
            Some(_) => &self.text[start..start + 12],
            None => first,
        };
        let decoded = crate::document::read::unescape(escape);
        let mut chars = decoded.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !is_high || escape.len() > first.len() => parts.push(StrPart::Char(c)),
            _ => {
                let what = "half a surrogate pair in string literal".into();
                return Err(SyntaxError { what, start, end: start + escape.len() });
            }
        }
        self.at += escape.len();
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    None,
}

const MULTIPLICATION: u8 = 7;

fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| from + n);
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

pub fn text(s: &str) -> Expr<'_> {
    Term::Str(None, vec![StrPart::Str(s)])
}

pub fn pipe<'s>(left: Expr<'s>, right: Expr<'s>) -> Expr<'s> {
    binary(left, BinaryOp::Pipe(None), right)
}

pub fn binary<'s>(left: Expr<'s>, op: BinaryOp<&'s str>, right: Expr<'s>) -> Expr<'s> {
    Term::BinOp(Box::new(left), op, Box::new(right))
}

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

pub fn path<'s>(base: Expr<'s>, part: Part<Expr<'s>>, opt: Opt) -> Expr<'s> {
    Term::Path(Box::new(base), Path(vec![(part, opt)]))
}

/// The text of a string without interpolation.
fn constant_text(parts: &[StrPart<&str, Expr<'_>>]) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            StrPart::Str(s) => out.push_str(s),
            StrPart::Char(c) => out.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(out)
}

/// True for literals, and arrays and objects of literals.
pub fn is_constant(term: &Expr<'_>) -> bool {
    match term {
        Term::Num(_) | Term::Arr(None) => true,
        Term::Neg(t) => matches!(**t, Term::Num(_)),
        Term::Str(_, parts) => constant_text(parts).is_some(),
        Term::Arr(Some(t)) => is_constant_list(t),
        Term::Obj(members) => {
            let constant = |(k, v): &(Expr<'_>, Option<Expr<'_>>)| {
                matches!(k, Term::Str(..)) && is_constant(k) && v.as_ref().is_some_and(is_constant)
            };
            members.iter().all(constant)
        }
        _ => false,
    }
}

fn is_constant_part(part: &Part<Expr<'_>>) -> bool {
    match part {
        Part::Index(i) => is_constant(i),
        Part::Range(from, upto) => [from, upto].into_iter().flatten().all(is_constant),
    }
}

fn is_constant_list(term: &Expr<'_>) -> bool {
    match term {
        Term::BinOp(l, BinaryOp::Comma, r) => is_constant_list(l) && is_constant_list(r),
        term => is_constant(term),
    }
}

/// The value of a constant.
pub fn constant_value(term: &Expr<'_>) -> crate::value::Value {
    use crate::value::{Map, Value, negate};
    match term {
        Term::Num(n) => super::engine::constant(n),
        Term::Neg(t) => negate(constant_value(t)).unwrap_or_default(),
        Term::Str(_, parts) => Value::from(constant_text(parts).unwrap_or_default()),
        Term::Arr(Some(t)) => {
            let mut items = Vec::new();
            collect(t, &mut items);
            Value::array(items)
        }
        Term::Arr(None) => Value::array(Vec::new()),
        Term::Obj(members) => {
            let mut map = Map::default();
            for (k, v) in members {
                let key = constant_value(k);
                let value = v.as_ref().map(constant_value).unwrap_or_default();
                map.insert(key.as_str().unwrap_or_default().into(), value);
            }
            Value::object(map)
        }
        _ => Value::Null,
    }
}

fn collect(term: &Expr<'_>, into: &mut Vec<crate::value::Value>) {
    match term {
        Term::BinOp(l, BinaryOp::Comma, r) => {
            collect(l, into);
            collect(r, into);
        }
        term => into.push(constant_value(term)),
    }
}
