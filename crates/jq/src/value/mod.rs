//! JSON values as jq knows them: their order, their equality, what indexing, slicing and
//! arithmetic make of them, and the texts of the errors that scripts can catch.
//!
//! A value is cheap to clone. What was read from a document stays a slice of its text until
//! a filter looks inside ([`Raw`]); numbers that are not used in arithmetic keep their text.
//! Nothing here knows the filter language.
//!
//! Code that walks documents (comparing or merging them, say) finds an object's members in their order ([`Value::as_object`],
//! [`Map::iter`]) and an array's elements as a slice ([`Value::as_array`]); both read one level and leave what is below as
//! text. It builds new ones from clones, which keep what they were read from:
//!
//! - A number of a document that is not a plain integer of up to 15 digits is a [`Value::Literal`] with its very text, `1.10`
//!   or `12345678901234567890123`, and is written so. `==` finds `1.10` and `1.1` equal; to find out whether the text
//!   changed, compare the literals' texts.
//! - A string is its content: `"\u00e9"` and `"é"` are the same value. An unchanged string is written as it was read only
//!   if it had the writer's own form; other escape sequences are normalised.
//! - An array or object that has not been looked into is a [`Value::Raw`], and [`Raw::as_str`] is its text: equal texts are equal
//!   values.
//!
//! ```
//! use memlatch_jq::{document, value::{Map, Value}};
//!
//! let text = br#"{"price": 1.10, "id": 12345678901234567890123, "list": [1, 2]}"#;
//! let value = document::parse(text.to_vec()).expect("it is JSON");
//! let mut copy = Map::default();
//! for (key, value) in value.as_object().expect("it is an object").iter() {
//!     copy.insert(key.clone(), value.clone());
//! }
//! copy.insert("more".into(), Value::from(true));
//! let text = Value::object(copy).to_string();
//! assert_eq!(text, r#"{"price":1.10,"id":12345678901234567890123,"list":[1,2],"more":true}"#);
//! ```

mod array;
mod map;
pub mod number;
mod ops;
mod order;
mod raw;
mod read;
mod set;
mod text;
pub(crate) mod write;

pub use array::{Array, Elements};
pub use map::{Map, Member};
pub use ops::{
    Bound, Key, add, divide, multiply, negate, remainder, slice_bounds, slice_key, slice_range, split, subtract,
};
pub use order::{Purpose, compare};
pub use raw::Raw;
pub(crate) use read::read;
pub use text::{Str, Text};
pub(crate) use text::{ceil_char_boundary, floor_char_boundary};

pub use crate::json::{MAX_DEPTH, TextLayout};

use std::rc::Rc;

/// Up to this depth values are dropped by plain recursion, which any stack has room for.
const SHALLOW: u32 = 500;

/// One JSON value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    /// A number that has its own text: one read and not calculated with.
    Literal(Str),
    String(Str),
    Array(Array),
    Object(Rc<Map>),
    /// An array or object of a document that has not been looked into yet.
    Raw(Rc<Raw>),
}

/// What a script can `catch`: any value, mostly a string.
pub type Failure = Value;

impl Value {
    /// The value with its outermost level read.
    pub fn open(&self) -> &Self {
        match self {
            Self::Raw(raw) => raw.open(),
            other => other,
        }
    }

    /// As [`Value::open`], by value.
    pub fn opened(self) -> Self {
        match self {
            Self::Raw(raw) => Raw::into_open(raw),
            other => other,
        }
    }

    pub fn string(s: impl Into<Str>) -> Self {
        Self::String(s.into())
    }

    pub fn array(items: impl Into<Array>) -> Self {
        Self::Array(items.into())
    }

    pub fn object(map: Map) -> Self {
        Self::Object(Rc::new(map))
    }

    /// A number from its JSON text, which is kept if it is not what the number would print as.
    pub fn number(text: Str) -> Self {
        if number::is_plain_integer(&text) {
            Self::Number(text.parse::<i64>().map_or(f64::NAN, |i| i as f64))
        } else {
            Self::Literal(text)
        }
    }

    /// jq's name of the type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) | Self::Literal(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Raw(raw) => raw.kind(),
        }
    }

    /// How deep arrays and objects are nested in this value: 0 for all others.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Array(a) => a.depth(),
            Self::Object(o) => o.depth(),
            Self::Raw(raw) => raw.depth(),
            _ => 0,
        }
    }

    /// False for null and false, true for all others.
    pub fn truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Literal(_))
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(x) => Some(*x),
            Self::Literal(text) => Some(number::parse(text)),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&Array> {
        match self.open() {
            Self::Array(a) => Some(a),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Rc<Map>> {
        match self.open() {
            Self::Object(o) => Some(o),
            _ => None,
        }
    }

    /// The elements, copied only if they have another owner.
    pub fn into_items(self) -> Result<Vec<Self>, Self> {
        match self.opened() {
            Self::Array(a) => Ok(a.into_vec()),
            other => Err(other),
        }
    }
}

/// Takes a deeply nested value apart without recursion.
fn dismantle(mut todo: Vec<Value>) {
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(a) => todo.extend(a.into_own()),
            Value::Object(o) => {
                if let Ok(mut map) = Rc::try_unwrap(o) {
                    todo.extend(map.take_all().map(|(_, v)| v));
                }
            }
            _ => {}
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Self::Number(n as f64)
    }
}

impl From<isize> for Value {
    fn from(n: isize) -> Self {
        // Larger integers of a program are literals, which keep their digits.
        if n.unsigned_abs() < 1 << 53 { Self::Number(n as f64) } else { Self::Literal(n.to_string().into()) }
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::String(s.into())
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::String(s.into())
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(iter: I) -> Self {
        Self::array(Array::from_iter(iter))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&write::to_text(self))
    }
}
