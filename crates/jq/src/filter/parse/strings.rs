//! Strings with their escapes, interpolation and formats.

use super::tokens::Token;
use super::{Expr, Parsed, Parser, SyntaxError};
use crate::filter::term::pipe;
use crate::value::ceil_char_boundary;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::Term;

impl<'s> Parser<'s> {
    /// `@format` alone or before a string.
    pub(super) fn formatted(&mut self, format: &'s str) -> Parsed<Expr<'s>> {
        self.advance();
        match self.token {
            Token::Quote => self.string(Some(format)),
            _ => Ok(Term::Call(format, Vec::new())),
        }
    }

    pub(super) fn string(&mut self, format: Option<&'s str>) -> Parsed<Expr<'s>> {
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
        let decoded = crate::json::unescape(escape);
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
