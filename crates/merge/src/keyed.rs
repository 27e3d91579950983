//! Arrays whose elements have an identity, merged by element, as Kubernetes merges lists by key.

use crate::{Kind, Merger, Placed, interleave, path::Step};
use memlatch_jq::value::{Str, Value};
use std::collections::HashMap;

/// Fields that can identify elements, in order of preference.
const FIELDS: [&str; 5] = ["id", "key", "name", "uuid", "path"];

/// The field that every element of all three arrays has, with a scalar value that is unique within each array.
pub fn identity(base: &[Value], ours: &[Value], theirs: &[Value]) -> Option<&'static str> {
    let all = [base, ours, theirs];
    FIELDS.into_iter().find(|field| all.iter().all(|array| index(array, field).is_some_and(|index| index.is_unique)))
}

/// The elements by their identity.
struct Index<'v> {
    /// The identities in the order of the elements, in a form that can be compared quickly.
    ids: Vec<String>,
    elements: HashMap<String, &'v Value>,
    is_unique: bool,
}

/// `None` if an element has no such field.
fn index<'v>(array: &'v [Value], field: &str) -> Option<Index<'v>> {
    let ids: Vec<String> = array.iter().map(|element| id_of(element, field)).collect::<Option<_>>()?;
    let elements: HashMap<String, &Value> = ids.iter().cloned().zip(array).collect();
    let is_unique = elements.len() == ids.len();
    Some(Index { ids, elements, is_unique })
}

/// Equal numbers get the same text, however they are written.
fn id_of(element: &Value, field: &str) -> Option<String> {
    match element.as_object()?.get(field)? {
        Value::Array(_) | Value::Object(_) | Value::Raw(_) => None,
        id => Some(match id.as_f64() {
            Some(number) if number.abs() < 9e15 => Value::from(number).to_string(),
            _ => id.to_string(),
        }),
    }
}

impl Merger<'_> {
    /// Merges by a field that the user has named. If it is not unique among the elements, that is a conflict.
    pub(crate) fn by_named_key(&mut self, field: &str, base: &[Value], ours: &[Value], theirs: &[Value]) -> Value {
        let is_key = |array: &[Value]| index(array, field).is_some_and(|index| index.is_unique);
        if [base, ours, theirs].into_iter().all(is_key) {
            return self.by_key(field, base, ours, theirs);
        }
        let [base, ours, theirs] = [base, ours, theirs].map(|array| array.iter().cloned().collect::<Value>());
        self.conflict(Kind::SameKey, Some(&base), Some(&ours), Some(&theirs)).unwrap_or(theirs)
    }

    /// Merges by a field that identifies the elements of each array.
    pub(crate) fn by_key(&mut self, field: &str, base: &[Value], ours: &[Value], theirs: &[Value]) -> Value {
        let [base, ours, theirs] =
            [base, ours, theirs].map(|array| index(array, field).expect("every element has the field"));
        let mut frame = Vec::with_capacity(theirs.ids.len());
        for id in &theirs.ids {
            let (b, o) = (base.elements.get(id).copied(), ours.elements.get(id).copied());
            let value = self.element(field, b, o, theirs.elements.get(id).copied());
            let is_new = b.is_none() && o.is_none();
            frame.extend(value.map(|value| Placed { id: id.clone(), value, is_new }));
        }
        let mut guests = Vec::new();
        for id in &ours.ids {
            let value = match theirs.elements.contains_key(id) {
                true => None,
                false => self.element(field, base.elements.get(id).copied(), ours.elements.get(id).copied(), None),
            };
            guests.push((id.clone(), value));
        }
        // Elements that ours has removed need no treatment here: theirs either has them, or has removed them too.
        interleave(frame, guests).into_iter().map(|(_, value)| value).collect()
    }

    fn element(
        &mut self,
        field: &str,
        base: Option<&Value>,
        ours: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        let element = base.or(ours).or(theirs).expect("one side has the element");
        let id = element.as_object().and_then(|element| element.get(field)).cloned().unwrap_or(Value::Null);
        self.path.push(Step::Keyed(Str::from(field), id));
        let value = self.values(base, ours, theirs);
        self.path.pop();
        value
    }
}
