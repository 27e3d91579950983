//! Our values as jaq-core's values: what indexing, updating and arithmetic mean to the interpreter.

use super::access::Access;
use super::code::Codes;
use super::literals::known_constant;
use super::places::{children, elements, not_iterable, update_at};
use crate::value::{self, Bound, Failure, Key, Map, Value};
use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::{DataT, Error, Exn, ValR, ValX, data, val::Range};
use std::{cell::RefCell, rc::Rc};

/// The engine's types for jaq-core.
pub struct Engine;

pub type Lut = jaq_core::Lut<Engine>;
pub type Cv<'a> = jaq_core::Cv<'a, Engine>;
pub type Outputs<'a> = jaq_core::ValXs<'a, Value>;

impl DataT for Engine {
    type V<'a> = Value;
    type Data<'a> = Data<'a>;
}

/// What filters can reach besides their input.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub lut: &'a Lut,
    pub world: &'a World,
}

impl<'a> data::HasLut<'a, Engine> for Data<'a> {
    fn lut(&self) -> &'a Lut {
        self.lut
    }
}

/// The outside of one run.
pub struct World {
    pub inputs: RefCell<Box<dyn Iterator<Item = Result<Value, String>>>>,
    pub input_name: super::InputName,
    pub access: Rc<Access>,
    pub codes: Rc<Codes>,
    pub search_list: Value,
    pub origin: Value,
}

/// A failure as jaq-core's error.
pub fn error(failure: Failure) -> Error<Value> {
    Error::new(failure)
}

impl From<Failure> for Exn<'_, Value> {
    fn from(failure: Failure) -> Self {
        Exn::from(Error::new(failure))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $function:ident) => {
        impl std::ops::$trait for Value {
            type Output = ValR<Self>;
            fn $method(self, other: Self) -> ValR<Self> {
                value::$function(self, other).map_err(error)
            }
        }
    };
}

operator!(Add, add, add);
operator!(Sub, sub, subtract);
operator!(Mul, mul, multiply);
operator!(Div, div, divide);
operator!(Rem, rem, remainder);

impl std::ops::Neg for Value {
    type Output = ValR<Self>;
    fn neg(self) -> ValR<Self> {
        value::negate(self).map_err(error)
    }
}

impl From<Range<Value>> for Value {
    fn from(range: Range<Value>) -> Self {
        value::slice_key(range.start.as_ref(), range.end.as_ref())
    }
}

impl jaq_core::ValT for Value {
    fn from_num(text: &str) -> ValR<Self> {
        Ok(match text {
            "null" => Self::Null,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            text => known_constant(text),
        })
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR<Self> {
        let mut map = Map::default();
        for (key, value) in members {
            match key {
                Self::String(key) => map.insert(key, value),
                key => {
                    let text = format!("Cannot use {} as object key", key.described());
                    return Err(error(text.into()));
                }
            }
        }
        Ok(Self::object(map))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match elements(self) {
            Ok(elements) => Box::new(elements.map(Ok)),
            Err(other) => box_once(Err(error(not_iterable(&other)))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match children(self) {
            Ok(values) => Box::new(values.map(Ok)),
            Err(failure) => Box::new(std::iter::once(Err(error(failure)))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        self.get(index).map_err(error)
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        self.slice(range.start, range.end).map_err(error)
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self.opened() {
            Self::Array(a) => {
                let kept = a.into_iter().filter_map(|v| f(v).next());
                Ok(Self::array(kept.collect::<Result<Vec<_>, _>>()?))
            }
            Self::Object(mut o) => {
                Rc::make_mut(&mut o).update(|v| f(v).next().transpose())?;
                Ok(Self::Object(o))
            }
            other => opt.fail(other, |v| Exn::from(not_iterable(&v))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if matches!(opt, Opt::Optional) && self.get(index).is_err() {
            return Ok(self);
        }
        update_at(self, index, |v| f(v).next().transpose())
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let (from, upto): (Bound<'_>, Bound<'_>) = (range.start, range.end);
        if matches!(opt, Opt::Optional) && self.slice(from, upto).is_err() {
            return Ok(self);
        }
        self.update(&Key::Slice(from, upto), |v| f(v).next().transpose())
    }

    fn as_bool(&self) -> bool {
        self.truthy()
    }

    fn into_string(self) -> Self {
        match self {
            Self::String(_) => self,
            other => Self::from(other.to_string()),
        }
    }
}
