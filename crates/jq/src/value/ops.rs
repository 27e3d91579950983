//! Indexing, slicing, setting and arithmetic, with jq's results and error texts.

use super::{Array, Failure, MAX_DEPTH, Map, Str, Value, floor_char_boundary, number, set::Set};
use std::{ops::Range, rc::Rc};

type Outcome<T = Value> = Result<T, Failure>;

/// A bound of a slice; `None` where it is left out.
pub type Bound<'a> = Option<&'a Value>;

/// What a path component names inside a value.
#[derive(Debug)]
pub enum Key<'a> {
    Field(&'a Str),
    /// an array index as it was given: maybe negative, maybe beyond the end
    Index(f64),
    Slice(Bound<'a>, Bound<'a>),
}

pub(super) fn fail<T>(message: String) -> Outcome<T> {
    Err(Value::from(message))
}

/// How long a value may be in an error text.
const SHOWN: usize = 29;

impl Value {
    /// The value's compact text, cut as jq cuts it in error texts.
    pub fn brief(&self) -> String {
        let mut text = super::write::to_text(self);
        if text.len() > SHOWN {
            let close = match self.open() {
                Self::String(_) => "\"",
                Self::Array(_) => "]",
                Self::Object(_) => "}",
                _ => "",
            };
            text.truncate(floor_char_boundary(&text, SHOWN - 3 - close.len()));
            text += "...";
            text += close;
        }
        text
    }

    /// `number (1)`, as error texts name a value.
    pub fn described(&self) -> String {
        format!("{} ({})", self.kind(), self.brief())
    }

    /// `number (1) and string ("a") cannot be …`
    pub fn fail_pair<T>(&self, other: &Self, what: &str) -> Outcome<T> {
        fail(format!("{} and {} {what}", self.described(), other.described()))
    }

    /// `number (1) …`
    pub fn fail_alone<T>(&self, what: &str) -> Outcome<T> {
        fail(format!("{} {what}", self.described()))
    }

    fn fail_index<T>(&self, key: &Self) -> Outcome<T> {
        fail(format!("Cannot index {} with {}", self.kind(), key.described()))
    }

    /// `.[key]`
    pub fn get(&self, key: &Self) -> Outcome {
        match (self.open(), key.open()) {
            (Self::Object(o), Self::String(k)) => Ok(o.get(k).cloned().unwrap_or_default()),
            (Self::Array(a), Self::Number(_) | Self::Literal(_)) => {
                let i = key.as_f64().expect("it is a number");
                Ok(place(i, a.len()).and_then(|i| a.get(i).cloned()).unwrap_or_default())
            }
            (Self::Array(_) | Self::String(_) | Self::Null, Self::Object(_)) => {
                let (from, upto) = slice_bounds(key);
                self.slice(from.as_ref(), upto.as_ref())
            }
            (Self::Array(a), Self::Array(part)) => Ok(indices_of(a, part)),
            (Self::Null, Self::String(_) | Self::Number(_) | Self::Literal(_)) => Ok(Self::Null),
            (this, key) => this.fail_index(key),
        }
    }

    /// `.[from:upto]`
    pub fn slice(&self, from: Bound<'_>, upto: Bound<'_>) -> Outcome {
        match self.open() {
            Self::Null => Ok(Self::Null),
            Self::Array(a) => {
                let range = slice_range(from, upto, a.len())?;
                Ok(if range == (0..a.len()) { self.clone() } else { Self::Array(a.view(range)) })
            }
            Self::String(s) => char_slice(s, from, upto).map(Self::String),
            other => other.fail_index(&slice_key(from, upto)),
        }
    }

    /// Replaces what `key` names by what `f` makes of it; with `None` it is removed.
    pub fn update<E: From<Failure>>(
        self,
        key: &Key<'_>,
        f: impl FnOnce(Self) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        match (self.opened(), key) {
            (Self::Null, Key::Field(k)) => match f(Self::Null)? {
                None => Ok(Self::Null),
                Some(new) => {
                    let mut map = Map::default();
                    map.insert((*k).clone(), new);
                    Ok(Self::object(map))
                }
            },
            (this @ Self::Object(_), Key::Field(k)) => this.update_field(k, f),
            (Self::Null, Key::Index(i)) => Self::array(Array::default()).update_index(*i, true, f),
            (this @ Self::Array(_), Key::Index(i)) => this.update_index(*i, false, f),
            (Self::Null, Key::Slice(from, upto)) => {
                slice_range(*from, *upto, 0)?;
                match f(Self::Null)? {
                    None => Ok(Self::Null),
                    Some(v) if v.as_array().is_some() => Ok(v),
                    Some(_) => Err(not_an_array().into()),
                }
            }
            (this @ Self::Array(_), Key::Slice(from, upto)) => this.update_slice(*from, *upto, f),
            (this, Key::Field(k)) => this.fail_index(&Self::String((*k).clone())).map_err(E::from),
            (this, Key::Index(i)) => this.fail_index(&Self::Number(*i)).map_err(E::from),
            (this @ Self::String(_), Key::Slice(from, upto)) => {
                // The new value is found first: its own error comes before this one.
                f(this.slice(*from, *upto)?)?;
                Err(Value::from("Cannot update string slices").into())
            }
            (this, Key::Slice(from, upto)) => this.fail_index(&slice_key(*from, *upto)).map_err(E::from),
        }
    }

    fn update_field<E: From<Failure>>(
        self,
        key: &Str,
        f: impl FnOnce(Self) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        let Self::Object(mut map) = self else { unreachable!("the caller looked") };
        let Some(place) = map.place(key) else {
            if let Some(new) = f(Self::Null)? {
                Rc::make_mut(&mut map).insert(key.clone(), new);
            }
            return Ok(Self::Object(map));
        };
        // The old value is taken out first, so that `f` is its only owner and may change it in place.
        let own = Rc::make_mut(&mut map);
        match f(own.take_at(place))? {
            Some(new) => own.put_at(place, new),
            None => own.remove_at(place),
        }
        Ok(Self::Object(map))
    }

    fn update_index<E: From<Failure>>(
        self,
        index: f64,
        was_null: bool,
        f: impl FnOnce(Self) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        let Self::Array(mut array) = self else { unreachable!("the caller looked") };
        if index.is_nan() {
            f(Self::Null)?;
            return Err(Value::from("Cannot set array element at NaN index").into());
        }
        let here = place(index, array.len());
        // Deleting counts a fraction below zero from the end, and so does not find what reading found.
        let stays = index > -1.0 && index < 0.0;
        let old = match here {
            Some(i) if i < array.len() && stays => array[i].clone(),
            Some(i) if i < array.len() => array.take(i),
            _ => Self::Null,
        };
        match (f(old)?, here) {
            (Some(_), None) => return Err(Value::from("Out of bounds negative array index").into()),
            (Some(_), Some(i)) if i > MAX_INDEX => {
                return Err(Value::from("Array index too large").into());
            }
            (Some(new), Some(i)) => array.set(i, new),
            (None, Some(i)) if i < array.len() && !stays => array.remove(i..i + 1),
            (None, _) if was_null => return Ok(Self::Null),
            (None, _) => {}
        }
        Ok(Self::Array(array))
    }

    fn update_slice<E: From<Failure>>(
        self,
        from: Bound<'_>,
        upto: Bound<'_>,
        f: impl FnOnce(Self) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        let Self::Array(mut array) = self else { unreachable!("the caller looked") };
        let range = slice_range(from, upto, array.len())?;
        let new = if range == (0..array.len()) {
            let whole = std::mem::take(&mut array);
            match f(Self::Array(whole))? {
                Some(new) if new.as_array().is_some() => return Ok(new),
                Some(_) => return Err(not_an_array().into()),
                None => return Ok(Self::array(Array::default())),
            }
        } else {
            f(Self::Array(array.view(range.clone())))?
        };
        match new {
            None => array.remove(range),
            Some(new) => match new.as_array() {
                Some(items) => array.splice(range, items),
                None => return Err(not_an_array().into()),
            },
        }
        Ok(Self::Array(array))
    }
}

/// jq refuses to build longer arrays by an index.
const MAX_INDEX: usize = (i32::MAX >> 2) as usize - 1;

fn not_an_array() -> Failure {
    Value::from("A slice of an array can only be assigned another array")
}

/// The element that an index names, counted from the end if negative.
fn place(index: f64, len: usize) -> Option<usize> {
    if index.is_nan() {
        return None;
    }
    // Fractions are cut off towards smaller numbers, as jq does since 1.7.
    let i = index.trunc();
    let i = if i < 0.0 { i + len as f64 } else { i };
    (i >= 0.0).then_some(i as usize)
}

/// The start and end of a slice given as an object. Either may be null; a missing one means no bound.
pub fn slice_bounds(key: &Value) -> (Option<Value>, Option<Value>) {
    let field = |name| key.as_object().and_then(|o| o.get(name)).cloned().or(Some(Value::Bool(false)));
    (field("start"), field("end"))
}

/// The object that stands for a slice in a path.
pub fn slice_key(from: Bound<'_>, upto: Bound<'_>) -> Value {
    let mut map = Map::default();
    map.insert("start".into(), from.cloned().unwrap_or_default());
    map.insert("end".into(), upto.cloned().unwrap_or_default());
    Value::object(map)
}

const NO_BOUNDS: &str = "Array/string slice indices must be integers";

/// A bound as a number, if there is one.
fn bound(b: Bound<'_>) -> Outcome<Option<f64>> {
    match b {
        None | Some(Value::Null) => Ok(None),
        Some(v) => v.as_f64().map(|x| Some(x).filter(|x| !x.is_nan())).ok_or_else(|| Value::from(NO_BOUNDS)),
    }
}

/// The elements that a slice names.
pub fn slice_range(from: Bound<'_>, upto: Bound<'_>, len: usize) -> Outcome<Range<usize>> {
    let n = len as f64;
    let (from, upto) = (bound(from)?.unwrap_or(0.0), bound(upto)?.unwrap_or(n));
    let absolute = |x: f64| (if x < 0.0 { x + n } else { x }).clamp(0.0, n);
    let (start, end) = (absolute(from).floor() as usize, absolute(upto).ceil() as usize);
    Ok(start..end.max(start))
}

/// The part of a string between two code points. Each is counted from the end of the string that it is given from, and
/// nothing is counted where a character is a byte.
fn char_slice(s: &Str, from: Bound<'_>, upto: Bound<'_>) -> Outcome<Str> {
    let range = if s.is_ascii() {
        slice_range(from, upto, s.len())?
    } else {
        let start = bound(from)?.map_or(0, |x| byte_place(s, x, f64::floor));
        let end = bound(upto)?.map_or(s.len(), |x| byte_place(s, x, f64::ceil));
        start..end.max(start)
    };
    Ok(s.slice(&s[range]))
}

/// The byte at which a character starts; a negative place is counted from the end.
fn byte_place(s: &str, place: f64, round: fn(f64) -> f64) -> usize {
    let mut chars = s.chars();
    let count = round(place).abs() as usize;
    match (count, place < 0.0) {
        (0, _) => {}
        (_, true) => _ = chars.nth_back(count - 1),
        (_, false) => _ = chars.nth(count - 1),
    }
    let rest = chars.as_str().len();
    if place < 0.0 { rest } else { s.len() - rest }
}

/// All places where one array occurs in another.
fn indices_of(whole: &[Value], part: &[Value]) -> Value {
    if part.is_empty() {
        return Value::array(Vec::new());
    }
    let found = whole.windows(part.len()).enumerate().filter(|(_, w)| *w == part);
    found.map(|(i, _)| Value::from(i)).collect()
}

// Arithmetic

pub fn add(l: Value, r: Value) -> Outcome {
    match (l, r) {
        (Value::Null, v) | (v, Value::Null) => Ok(v),
        (Value::Number(x), Value::Number(y)) => Ok(Value::Number(x + y)),
        (Value::String(x), Value::String(y)) if x.is_empty() => Ok(Value::String(y)),
        (Value::String(mut x), Value::String(y)) => {
            x.push_str(&y);
            Ok(Value::String(x))
        }
        (l, r) => match (l.opened(), r.opened()) {
            (Value::Array(mut x), Value::Array(y)) => {
                x.append(&y);
                Ok(Value::Array(x))
            }
            (Value::Object(mut x), Value::Object(y)) => {
                let map = Rc::make_mut(&mut x);
                y.iter().for_each(|(k, v)| map.insert(k.clone(), v.clone()));
                Ok(Value::Object(x))
            }
            (l, r) => match (l.as_f64(), r.as_f64()) {
                (Some(x), Some(y)) => Ok(Value::Number(x + y)),
                _ => l.fail_pair(&r, "cannot be added"),
            },
        },
    }
}

pub fn subtract(l: Value, r: Value) -> Outcome {
    match (l.open(), r.open()) {
        (Value::Array(x), Value::Array(y)) => {
            let gone = Set::new(y);
            Ok(x.iter().filter(|v| !gone.contains(v)).cloned().collect())
        }
        (x, y) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => Ok(Value::Number(x - y)),
            _ => l.fail_pair(&r, "cannot be subtracted"),
        },
    }
}

pub fn multiply(l: Value, r: Value) -> Outcome {
    match (l.open(), r.open()) {
        (Value::Object(_), Value::Object(_)) => {
            if l.depth().min(r.depth()) > MAX_DEPTH + 1 {
                return fail("Object merge too deep".into());
            }
            merge(l, r)
        }
        (Value::String(s), n) | (n, Value::String(s)) if n.is_number() => repeat(s, n),
        (x, y) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => Ok(Value::Number(x * y)),
            _ => l.fail_pair(&r, "cannot be multiplied"),
        },
    }
}

/// The longest string that multiplication makes.
const MAX_STRING: f64 = i32::MAX as f64;

fn repeat(s: &Str, n: &Value) -> Outcome {
    let n = n.as_f64().unwrap_or(f64::NAN);
    if n.is_nan() || n < 0.0 {
        return Ok(Value::Null);
    }
    let n = n.trunc();
    if n * s.len() as f64 >= MAX_STRING {
        return fail("Repeat string result too long".into());
    }
    Ok(Value::from(s.repeat(n as usize)))
}

fn merge(l: Value, r: Value) -> Outcome {
    match (l.opened(), r.opened()) {
        (Value::Object(mut x), Value::Object(y)) => {
            let map = Rc::make_mut(&mut x);
            for (k, v) in y.iter() {
                let both = v.as_object().is_some() && map.get(k).is_some_and(|o| o.as_object().is_some());
                let v = match both {
                    true => merge(map.take(k).unwrap_or_default(), v.clone())?,
                    false => v.clone(),
                };
                map.insert(k.clone(), v);
            }
            Ok(Value::Object(x))
        }
        (_, r) => Ok(r),
    }
}

const BY_ZERO: &str = "cannot be divided because the divisor is zero";

pub fn divide(l: Value, r: Value) -> Outcome {
    match (l.open(), r.open()) {
        (Value::String(s), Value::String(separator)) => Ok(split(s, separator)),
        (x, y) => match (x.as_f64(), y.as_f64()) {
            (Some(_), Some(0.0)) => l.fail_pair(&r, BY_ZERO),
            (Some(x), Some(y)) => Ok(Value::Number(x / y)),
            _ => l.fail_pair(&r, "cannot be divided"),
        },
    }
}

pub fn split(s: &Str, separator: &str) -> Value {
    if s.is_empty() {
        return Value::array(Array::default());
    }
    if separator.is_empty() {
        let letters = s.char_indices().map(|(i, c)| &s[i..i + c.len_utf8()]);
        return letters.map(|c| Value::String(s.slice(c))).collect();
    }
    s.split(separator).map(|part| Value::String(s.slice(part))).collect()
}

pub fn remainder(l: Value, r: Value) -> Outcome {
    let (Some(x), Some(y)) = (l.as_f64(), r.as_f64()) else {
        return l.fail_pair(&r, "cannot be divided (remainder)");
    };
    if x.is_nan() || y.is_nan() {
        return Ok(Value::Number(f64::NAN));
    }
    match y as i64 {
        0 => l.fail_pair(&r, "cannot be divided (remainder) because the divisor is zero"),
        -1 => Ok(Value::Number(0.0)),
        y => Ok(Value::Number((x as i64 % y) as f64)),
    }
}

pub fn negate(v: Value) -> Outcome {
    match &v {
        // The zero of a program or document has no sign to lose.
        Value::Number(0.0) => Ok(Value::Number(0.0)),
        Value::Number(x) => Ok(Value::Number(-x)),
        Value::Literal(text) => Ok(Value::Literal(number::negated(text).into())),
        _ => v.fail_alone("cannot be negated"),
    }
}
