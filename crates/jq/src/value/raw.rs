//! An array or object that is still a slice of the document's text.

use super::{Array, Map, Text, Value};
use std::{cell::OnceCell, rc::Rc};

/// A slice of a checked document that holds one array or object.
#[derive(Debug)]
pub struct Raw {
    pub(crate) text: Rc<Text>,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// how many arrays and objects of the document stand around it
    pub(crate) level: u32,
    open: OnceCell<Value>,
}

impl Raw {
    pub fn new(text: Rc<Text>, start: u32, end: u32, level: u32) -> Self {
        Self { text, start, end, level, open: OnceCell::new() }
    }

    pub fn as_str(&self) -> &str {
        &self.text.as_str()[self.start as usize..self.end as usize]
    }

    /// The value with its outermost level read; done once.
    pub fn open(&self) -> &Value {
        self.open.get_or_init(|| super::read::open(self))
    }

    /// The value with its outermost level read, not shared with `raw` if that was the last owner.
    pub fn into_open(raw: Rc<Self>) -> Value {
        match Rc::try_unwrap(raw) {
            Ok(raw) => {
                raw.open();
                raw.open.into_inner().expect("it was opened just now")
            }
            Err(raw) => raw.open().clone(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.get().is_some()
    }

    pub fn kind(&self) -> &'static str {
        if self.text.as_str().as_bytes()[self.start as usize] == b'[' { "array" } else { "object" }
    }

    /// An upper bound of the nesting inside.
    pub fn depth(&self) -> u32 {
        self.text.depth().saturating_sub(self.level).max(1)
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Object(Rc::new(map))
    }
}
