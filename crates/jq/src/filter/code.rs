//! Direct evaluation: what surely has one output, by plain recursion over its parts.
//!
//! jaq-core makes an iterator for each operand of each operator, since each may have any number of outputs, and keeps those of
//! calls that are not in tail position. Where a term with one output runs again and again, in a loop or a function, that is
//! most of its cost (`benches/run language`, the rows under "Control"). `direct` finds such terms and compiles them; here is
//! what they mean, which is what they mean to jaq-core.

use super::places::set_path;
use super::stack;
use crate::value::{self, Failure, Map, Value};
use jaq_core::ops::{Cmp, Math};

type Outcome = Result<Value, Failure>;

/// A term with one output.
pub enum Code {
    Input,
    Constant(Value),
    /// a variable of this term or function, by its number from the outside
    Local(usize),
    /// a variable from around the term
    Outer(usize),
    /// a variable of the whole program
    Global(usize),
    /// base and key
    Index(Box<(Code, Code)>),
    /// base, from, up to
    Slice(Box<(Code, Option<Code>, Option<Code>)>),
    Negation(Box<Code>),
    Math(Math, Box<(Code, Code)>),
    Comparison(Cmp, Box<(Code, Code)>),
    And(Box<(Code, Code)>),
    Or(Box<(Code, Code)>),
    /// `l // r`
    Alternative(Box<(Code, Code)>),
    /// condition, then, else
    Choice(Box<(Code, Code, Code)>),
    /// `l | r`
    Then(Box<(Code, Code)>),
    /// `l as $local | r`
    Bind(Box<(Code, Code)>),
    List(Vec<Code>),
    Object(Vec<(Code, Code)>),
    Text(Vec<Code>),
    /// body and handler
    Try(Box<(Code, Code)>),
    Plain(fn(Value) -> Outcome),
    Unary(fn(Value, Value) -> Outcome, Box<Code>),
    /// a function by its number, and its arguments
    Call(usize, Vec<Code>),
    /// an update of the place that the keys lead to
    Change(Box<Change>),
}

pub struct Change {
    pub keys: Vec<Code>,
    pub how: How,
    pub by: Code,
}

/// What becomes of the old value.
pub enum How {
    /// `=`
    Set,
    /// `|=`
    Map,
    /// `+=` and the like
    Math(Math),
    /// `//=`
    Alternative,
}

/// A term for which jaq-core calls back.
pub struct Term {
    pub work: Work,
    /// how many variables from around it are handed over
    pub outer: usize,
}

/// What is evaluated directly.
pub enum Work {
    /// the whole term
    Once(Code),
    /// `source | code`
    Each(Code),
    /// `reduce source as $local (init; update)`
    Reduce(Code, Code),
    /// `foreach source as $local (init; update; extract)`
    Foreach(Code, Code, Code),
}

impl Work {
    /// Whether jaq-core gives the outputs of a source.
    pub fn has_source(&self) -> bool {
        !matches!(self, Self::Once(_))
    }
}

/// Everything of a program that is evaluated directly.
#[derive(Default)]
pub struct Codes {
    pub terms: Vec<Term>,
    /// by the function's number; empty for those that jaq-core evaluates
    pub functions: Vec<Option<Code>>,
    /// the variables of the whole program
    pub globals: Vec<Value>,
}

/// An evaluation, with the variables of all calls that are open, one after the other.
pub struct Machine<'c> {
    codes: &'c Codes,
    outer: Vec<Value>,
    locals: Vec<Value>,
}

impl<'c> Machine<'c> {
    pub fn new(codes: &'c Codes, outer: Vec<Value>) -> Self {
        Self { codes, outer, locals: Vec::new() }
    }

    /// The output of code for an input.
    pub fn run(&mut self, code: &'c Code, input: Value) -> Outcome {
        self.eval(code, 0, input)
    }

    /// The output of code that has one local variable.
    pub fn run_with(&mut self, code: &'c Code, local: Value, input: Value) -> Outcome {
        self.locals.push(local);
        let outcome = self.eval(code, 0, input);
        self.locals.clear();
        outcome
    }

    /// Evaluates code whose first local variable is at `frame`.
    fn eval(&mut self, code: &'c Code, frame: usize, input: Value) -> Outcome {
        let open = self.locals.len();
        let outcome = self.go(code, frame, open, input);
        self.locals.truncate(open);
        outcome
    }

    /// As [`Machine::eval`], without clearing up. What stands last goes on in the loop, so that recursion in tail position
    /// needs no stack.
    fn go(&mut self, mut code: &'c Code, mut frame: usize, open: usize, mut input: Value) -> Outcome {
        loop {
            match code {
                Code::Then(both) => {
                    input = self.eval(&both.0, frame, input)?;
                    code = &both.1;
                }
                Code::Bind(both) => {
                    let bound = self.eval(&both.0, frame, input.clone())?;
                    self.locals.push(bound);
                    code = &both.1;
                }
                Code::Choice(parts) => {
                    let wanted = self.eval(&parts.0, frame, input.clone())?.truthy();
                    code = if wanted { &parts.1 } else { &parts.2 };
                }
                Code::Alternative(both) => {
                    let first = self.eval(&both.0, frame, input.clone())?;
                    if first.truthy() {
                        return Ok(first);
                    }
                    code = &both.1;
                }
                Code::Call(function, arguments) => {
                    if stack::is_nearly_used_up() {
                        return Err(stack::USED_UP.into());
                    }
                    let mut values = Vec::with_capacity(arguments.len());
                    for argument in arguments {
                        values.push(self.eval(argument, frame, input.clone())?);
                    }
                    // What was bound since `open` is of no more use.
                    self.locals.truncate(open);
                    self.locals.append(&mut values);
                    frame = open;
                    code = self.codes.functions[*function].as_ref().expect("only such functions are called directly");
                }
                other => return self.one(other, frame, input),
            }
        }
    }

    /// Evaluates what has nothing in tail position.
    fn one(&mut self, code: &'c Code, frame: usize, input: Value) -> Outcome {
        match code {
            Code::Input => Ok(input),
            Code::Constant(value) => Ok(value.clone()),
            Code::Local(i) => Ok(self.locals[frame + i].clone()),
            Code::Global(i) => Ok(self.codes.globals[*i].clone()),
            Code::Outer(i) => Ok(self.outer[*i].clone()),
            Code::Index(parts) => {
                let (base, key) = &**parts;
                match key {
                    Code::Constant(key) => self.eval(base, frame, input)?.get(key),
                    key => {
                        let key = self.eval(key, frame, input.clone())?;
                        self.eval(base, frame, input)?.get(&key)
                    }
                }
            }
            Code::Slice(parts) => {
                let (base, from, upto) = &**parts;
                let mut bound = |bound: &'c Option<Code>| {
                    bound.as_ref().map(|bound| self.eval(bound, frame, input.clone())).transpose()
                };
                let (from, upto) = (bound(from)?, bound(upto)?);
                self.eval(base, frame, input)?.slice(from.as_ref(), upto.as_ref())
            }
            Code::Negation(code) => value::negate(self.eval(code, frame, input)?),
            Code::Math(op, both) => {
                let (l, r) = self.both(both, frame, input)?;
                calculate(*op, l, r)
            }
            Code::Comparison(op, both) => {
                let (l, r) = self.both(both, frame, input)?;
                Ok(Value::Bool(op.run(&l, &r)))
            }
            Code::And(both) => {
                let first = self.eval(&both.0, frame, input.clone())?.truthy();
                Ok(Value::Bool(first && self.eval(&both.1, frame, input)?.truthy()))
            }
            Code::Or(both) => {
                let first = self.eval(&both.0, frame, input.clone())?.truthy();
                Ok(Value::Bool(first || self.eval(&both.1, frame, input)?.truthy()))
            }
            Code::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.eval(item, frame, input.clone())?);
                }
                Ok(Value::array(list))
            }
            Code::Object(members) => {
                let mut map = Map::default();
                for (key, value) in members {
                    let key = self.eval(key, frame, input.clone())?;
                    let value = self.eval(value, frame, input.clone())?;
                    match key {
                        Value::String(key) => map.insert(key, value),
                        key => return Err(format!("Cannot use {} as object key", key.described()).into()),
                    }
                }
                Ok(Value::object(map))
            }
            Code::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match self.eval(part, frame, input.clone())? {
                        Value::String(part) => text.push_str(&part),
                        other => text.push_str(&other.to_string()),
                    }
                }
                Ok(Value::from(text))
            }
            Code::Try(both) => match self.eval(&both.0, frame, input) {
                Err(failure) => self.eval(&both.1, frame, failure),
                done => done,
            },
            Code::Plain(f) => f(input),
            Code::Unary(f, argument) => {
                let argument = self.eval(argument, frame, input.clone())?;
                f(input, argument)
            }
            Code::Change(change) => self.change(change, frame, input),
            Code::Then(_) | Code::Bind(_) | Code::Choice(_) | Code::Alternative(_) | Code::Call(..) => {
                self.eval(code, frame, input)
            }
        }
    }

    /// The operands of an operator. The input goes to the right one, so that the result of the left one has a single owner.
    fn both(&mut self, both: &'c (Code, Code), frame: usize, input: Value) -> Result<(Value, Value), Failure> {
        let left = self.eval(&both.0, frame, input.clone())?;
        Ok((left, self.eval(&both.1, frame, input)?))
    }

    fn change(&mut self, change: &'c Change, frame: usize, input: Value) -> Outcome {
        let by = match change.how {
            How::Map => Value::Null,
            _ => self.eval(&change.by, frame, input.clone())?,
        };
        let mut keys = Vec::with_capacity(change.keys.len());
        for key in &change.keys {
            keys.push(self.eval(key, frame, input.clone())?);
        }
        set_path(input, &keys, |old| match change.how {
            How::Set => Ok(by.clone()),
            How::Map => self.eval(&change.by, frame, old),
            How::Math(op) => calculate(op, old, by.clone()),
            How::Alternative => Ok(if old.truthy() { old } else { by.clone() }),
        })
    }
}

fn calculate(op: Math, left: Value, right: Value) -> Outcome {
    op.run(left, right).map_err(jaq_core::Error::into_val)
}
