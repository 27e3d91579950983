//! Arrays, objects and strings against the standard library's, by random operations on values that share elements.

use memlatch_jq::value::{Array, Bound, Map, Str, Value};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum OnArray {
    Push(u8),
    Set(usize, u8),
    Take(usize),
    Remove(usize, usize),
    View(usize, usize),
    Splice(usize, usize, Vec<u8>),
    Append(Vec<u8>),
    Retain(u8),
    /// Goes on with a copy; the original must stay as it is.
    Share,
}

fn on_array() -> impl Strategy<Value = OnArray> {
    let place = 0usize..20;
    let some = proptest::collection::vec(any::<u8>(), 0..4);
    prop_oneof![
        4 => any::<u8>().prop_map(OnArray::Push),
        1 => (place.clone(), any::<u8>()).prop_map(|(i, v)| OnArray::Set(i, v)),
        1 => place.clone().prop_map(OnArray::Take),
        2 => (place.clone(), 0usize..4).prop_map(|(i, n)| OnArray::Remove(i, n)),
        2 => (place.clone(), place.clone()).prop_map(|(i, n)| OnArray::View(i, n)),
        1 => (place, 0usize..4, some.clone()).prop_map(|(i, n, v)| OnArray::Splice(i, n, v)),
        1 => some.prop_map(OnArray::Append),
        1 => any::<u8>().prop_map(OnArray::Retain),
        2 => Just(OnArray::Share),
    ]
}

fn value(n: u8) -> Value {
    Value::from(n as usize)
}

fn values(some: &[u8]) -> Vec<Value> {
    some.iter().map(|n| value(*n)).collect()
}

/// What the operation does to a vector, and to an array.
fn apply(op: &OnArray, model: &mut Vec<Value>, array: &mut Array) {
    let len = model.len();
    let range = |i: usize, n: usize| i.min(len)..(i + n).min(len);
    match op {
        OnArray::Push(v) => {
            model.push(value(*v));
            array.push(value(*v));
        }
        OnArray::Set(i, v) => {
            model.resize(len.max(i + 1), Value::Null);
            model[*i] = value(*v);
            array.set(*i, value(*v));
        }
        OnArray::Take(i) => {
            let taken = model.get_mut(*i).map(std::mem::take).unwrap_or_default();
            assert_eq!(array.take(*i), taken);
        }
        OnArray::Remove(i, n) => {
            model.drain(range(*i, *n));
            array.remove(range(*i, *n));
        }
        OnArray::View(i, n) => {
            *model = model[range(*i, *n)].to_vec();
            *array = array.view(range(*i, *n));
        }
        OnArray::Splice(i, n, with) => {
            model.splice(range(*i, *n), values(with));
            array.splice(range(*i, *n), &values(with).into());
        }
        OnArray::Append(with) => {
            model.extend(values(with));
            array.append(&values(with).into());
        }
        OnArray::Retain(bit) => {
            let keep = |i: usize| bit >> (i % 8) & 1 == 0;
            let mut at = 0..;
            model.retain(|_| keep(at.next().expect("without end")));
            array.retain(keep);
        }
        OnArray::Share => {}
    }
}

proptest! {
    #[test]
    fn arrays_are_as_vectors_and_never_change_what_others_hold(ops in proptest::collection::vec(on_array(), 1..60)) {
        let (mut model, mut array) = (Vec::new(), Array::default());
        let mut kept = Vec::new();
        for op in &ops {
            if let OnArray::Share = op {
                kept.push((model.clone(), array.clone()));
            }
            apply(op, &mut model, &mut array);
            prop_assert_eq!(&array[..], &model[..], "after {:?}", op);
        }
        for (model, array) in kept {
            prop_assert_eq!(&array[..], &model[..]);
            prop_assert_eq!(array.into_iter().collect::<Vec<_>>(), model);
        }
        prop_assert_eq!(array.into_vec(), model);
    }

    #[test]
    fn objects_keep_their_order_whatever_is_removed(ops in proptest::collection::vec((0u8..60, 0u8..5), 1..300)) {
        let (mut model, mut map) = (Vec::<(String, Value)>::new(), Map::default());
        let mut kept = Vec::new();
        for (n, op) in ops {
            let key = format!("k{n}");
            match op {
                0 | 1 => {
                    match model.iter_mut().find(|m| m.0 == key) {
                        Some(member) => member.1 = value(n),
                        None => model.push((key.clone(), value(n))),
                    }
                    map.insert(key.as_str().into(), value(n));
                }
                2 | 3 => {
                    let removed = model.iter().position(|m| m.0 == key).map(|i| model.remove(i).1);
                    prop_assert_eq!(map.remove(&key), removed);
                }
                _ if n == 0 => {
                    model.retain(|m| !m.0.ends_with('1'));
                    map.retain(|k| !k.ends_with('1'));
                }
                _ => kept.push((model.clone(), map.clone())),
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.contains_key(&key), model.iter().any(|m| m.0 == key));
        }
        kept.push((model, map));
        for (model, map) in kept {
            let members: Vec<_> = map.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
            prop_assert_eq!(&members, &model);
            for (key, value) in &model {
                prop_assert_eq!(map.get(key), Some(value));
            }
            let owned: Vec<_> = map.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
            prop_assert_eq!(owned, model);
        }
    }

    #[test]
    fn strings_grow_in_place_without_changing_what_others_hold(parts in proptest::collection::vec("[a-zé😀]{0,40}", 1..12)) {
        let (mut model, mut string) = (String::new(), Str::from(""));
        let mut kept = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            model.push_str(part);
            string.push_str(part);
            prop_assert_eq!(string.as_str(), &model);
            if i % 3 == 0 {
                kept.push((model.clone(), string.clone()));
            }
            prop_assert_eq!(string.char_count(), model.chars().count());
        }
        for (model, string) in kept {
            prop_assert_eq!(string.as_str(), model);
        }
    }

    #[test]
    fn slices_of_strings_count_characters(text in "[a-cé😀]{0,120}", from in -130.0..130.0, upto in -130.0..130.0) {
        let chars: Vec<char> = text.chars().collect();
        let n = chars.len() as f64;
        let absolute = |x: f64| (if x < 0.0 { x + n } else { x }).clamp(0.0, n);
        let (start, end) = (absolute(from).floor() as usize, absolute(upto).ceil() as usize);
        let wanted: String = chars[start..end.max(start)].iter().collect();
        let (from, upto) = (Value::from(from), Value::from(upto));
        let sliced = Value::from(text.clone()).slice(Some(&from), Some(&upto));
        prop_assert_eq!(sliced, Ok(Value::from(wanted)));
        let (none, tail): (Bound<'_>, String) = (None, chars[start..].iter().collect());
        prop_assert_eq!(Value::from(text).slice(Some(&from), none), Ok(Value::from(tail)));
    }
}
