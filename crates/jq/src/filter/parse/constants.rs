//! Terms whose value is known without running them: metadata of modules, keys.

use super::Expr;
use crate::filter::literals::constant;
use crate::filter::term::is_constant;
use crate::value::{Map, Value, negate};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::Part;

/// The text of a string without interpolation.
pub(super) fn constant_text(parts: &[StrPart<&str, Expr<'_>>]) -> Option<String> {
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

pub(super) fn is_constant_part(part: &Part<Expr<'_>>) -> bool {
    match part {
        Part::Index(i) => is_constant(i),
        Part::Range(from, upto) => [from, upto].into_iter().flatten().all(is_constant),
    }
}

/// The value of a constant.
pub fn constant_value(term: &Expr<'_>) -> Value {
    match term {
        Term::Num(n) => constant(n),
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

fn collect(term: &Expr<'_>, into: &mut Vec<Value>) {
    match term {
        Term::BinOp(l, BinaryOp::Comma, r) => {
            collect(l, into);
            collect(r, into);
        }
        term => into.push(constant_value(term)),
    }
}
