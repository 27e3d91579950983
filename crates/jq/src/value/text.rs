//! Strings of a value: owned, or a slice of the document they were read from.
//!
//! A slice keeps the whole document alive and costs no copy; both are cheap to clone.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    rc::Rc,
};

/// A document's text, and what its strict check found out about the layout.
#[derive(Debug)]
pub struct Text {
    text: String,
    layout: TextLayout,
    depth: u32,
}

/// How close a text is to what the writer would print for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextLayout {
    /// Nothing is known: strings may be written with other escapes, keys may occur twice.
    Free,
    /// Every string is written as the writer writes it and no object has a key twice.
    Plain,
    /// Also, all white space is that of the two-space layout.
    Tidy,
}

impl Text {
    /// `depth` is the deepest nesting in the text.
    pub fn new(text: String, layout: TextLayout, depth: u32) -> Self {
        Self { text, layout, depth }
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

impl From<&str> for Str {
    fn from(s: &str) -> Self {
        Self::Owned(s.into())
    }
}

impl From<String> for Str {
    fn from(s: String) -> Self {
        Self::Owned(s.into())
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
