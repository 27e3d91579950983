//! Strings of a value: short ones owned, others a slice of a text, mostly of the document they were read from.
//!
//! A slice keeps the whole text alive and costs no copy; both are cheap to clone. A string with a single owner grows in
//! place, so that building one by many additions takes linear time.

use crate::json::TextLayout;
use std::{
    borrow::Borrow,
    cell::Cell,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    rc::Rc,
};

/// The last boundary between characters that is not above `index`.
pub(crate) fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// The first boundary between characters that is not below `index`.
pub(crate) fn ceil_char_boundary(text: &str, index: usize) -> usize {
    (index..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

/// A document's text, and what its strict check found out about the layout; or a longer string that was made.
#[derive(Debug)]
pub struct Text {
    text: String,
    layout: TextLayout,
    depth: u32,
    /// Whether all of it is ASCII, once that has been determined: then positions are found without counting.
    ascii: Cell<Option<bool>>,
}

impl Text {
    /// `depth` is the deepest nesting in the text.
    pub fn new(text: String, layout: TextLayout, depth: u32) -> Self {
        Self { text, layout, depth, ascii: Cell::new(None) }
    }

    fn is_ascii(&self) -> bool {
        let known = self.ascii.get().unwrap_or_else(|| self.text.is_ascii());
        self.ascii.set(Some(known));
        known
    }

    fn push_str(&mut self, more: &str) {
        self.ascii.set(self.ascii.get().map(|so_far| so_far && more.is_ascii()));
        self.text.push_str(more);
    }

    pub fn depth(&self) -> u32 {
        self.depth
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn layout(&self) -> TextLayout {
        self.layout
    }
}

/// An immutable string that is cheap to clone.
#[derive(Clone)]
pub enum Str {
    Owned(Rc<str>),
    Slice { text: Rc<Text>, start: u32, end: u32 },
}

impl Str {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Owned(s) => s,
            Self::Slice { text, start, end } => &text.as_str()[*start as usize..*end as usize],
        }
    }

    /// Appends; in place if this is the only owner of the text.
    pub fn push_str(&mut self, more: &str) {
        let len = self.len() + more.len();
        if let Self::Slice { text, end, .. } = self {
            let at_the_end = text.text.len() == *end as usize;
            let longer = u32::try_from(*end as usize + more.len()).ok();
            if let (true, Some(longer), Some(own)) = (at_the_end, longer, Rc::get_mut(text)) {
                own.push_str(more);
                *end = longer;
                return;
            }
        }
        let mut whole = String::with_capacity(len);
        whole.push_str(self);
        whole.push_str(more);
        *self = whole.into();
    }

    /// True if all characters are ASCII. Of long strings this is found out once for the whole text.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Slice { text, .. } if self.len() >= LONG && text.is_ascii() => true,
            _ => self.as_str().is_ascii(),
        }
    }

    /// How many characters (code points) there are.
    pub fn char_count(&self) -> usize {
        if self.is_ascii() { self.len() } else { self.chars().count() }
    }

    /// The part of this string that `part`, a slice of it, covers.
    pub fn slice(&self, part: &str) -> Self {
        match self {
            Self::Slice { text, .. } => {
                let from = part.as_ptr() as usize - text.as_str().as_ptr() as usize;
                let (start, end) = (from as u32, (from + part.len()) as u32);
                Self::Slice { text: text.clone(), start, end }
            }
            Self::Owned(_) => part.into(),
        }
    }
}

impl Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

/// Strings of this many bytes and more are slices of a text of their own, which is neither copied when it is cut nor
/// when it grows.
const LONG: usize = 64;

impl From<&str> for Str {
    fn from(s: &str) -> Self {
        if s.len() < LONG { Self::Owned(s.into()) } else { s.to_owned().into() }
    }
}

impl From<String> for Str {
    fn from(s: String) -> Self {
        match u32::try_from(s.len()) {
            Ok(end) if s.len() >= LONG => {
                Self::Slice { text: Rc::new(Text::new(s, TextLayout::Free, 0)), start: 0, end }
            }
            _ => Self::Owned(s.into()),
        }
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other)
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
