//! The words of a program's text, and the levels that are open around the current one.

use super::{MAX_NESTING, Parsed, Parser, SyntaxError};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'s> {
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

pub(super) const KEYWORDS: &[&str] = &[
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

impl<'s> Parser<'s> {
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

    pub(super) fn advance(&mut self) {
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

    pub(super) fn op(&mut self, op: &str) -> bool {
        let found = self.token == Token::Op(op);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.token == Token::Word(word);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, op: &str) -> Parsed<()> {
        match self.op(op) {
            true => Ok(()),
            false => self.unexpected(&format!(", expecting '{op}'")),
        }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<()> {
        match self.word(word) {
            true => Ok(()),
            false => self.unexpected(&format!(", expecting {word}")),
        }
    }

    pub(super) fn unexpected<T>(&self, expecting: &str) -> Parsed<T> {
        let (start, end) = match self.token {
            // The end is shown at the last token that there is.
            Token::End => (self.before_start, self.before),
            _ => (self.start, self.at),
        };
        let what = format!("syntax error, unexpected {}{expecting}", self.token.name());
        Err(SyntaxError { what, start, end })
    }

    pub(super) fn fail<T>(&self, what: impl Into<String>, start: usize) -> Parsed<T> {
        Err(SyntaxError { what: what.into(), start, end: self.before.max(start) })
    }

    /// Parses one level of nesting. Levels that are opened in it end with it.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let depth = self.depth;
        self.descend(1)?;
        let parsed = parse(self);
        self.depth = depth;
        parsed
    }

    /// Counts levels; they end with the caller's.
    pub(super) fn descend(&mut self, levels: usize) -> Parsed<()> {
        self.depth += levels;
        match self.depth > MAX_NESTING {
            true => {
                let what = format!("the program is nested deeper than {MAX_NESTING} levels");
                Err(SyntaxError { what, start: self.start, end: self.at })
            }
            false => Ok(()),
        }
    }
}

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
