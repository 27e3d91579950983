//! Sorting, grouping and searching of arrays, by the elements or by what a filter makes of them.

use super::builtin::{Builtin, Outcome, Param, fail, one, plain, unary};
use super::engine::Cv;
use super::places::children;
use crate::value::{Failure, MAX_DEPTH, Purpose, Value, compare};
use jaq_core::Exn;
use jaq_core::box_iter::box_once;
use std::cmp::Ordering;

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    plain!("sort", |v: Value| Ok(Value::array(sorted(sortable(v)?)))),
    plain!("unique", |v: Value| {
        let mut items = sorted(sortable(v)?);
        items.dedup_by(|b, a| a == b);
        Ok(Value::array(items))
    }),
    plain!("min", |v: Value| extreme(v, Ordering::Less)),
    plain!("max", |v: Value| extreme(v, Ordering::Greater)),
    one("sort_by", &[Param::Filter], |cv| box_once(keyed(cv, CANNOT_SORT).map(|pairs| {
        sorted_by_key(pairs).into_iter().map(|p| p.1).collect()
    }))),
    one("group_by", &[Param::Filter], |cv| box_once(keyed(cv, CANNOT_SORT).map(|pairs| groups(pairs).into_iter().map(Value::array).collect()))),
    one("unique_by", &[Param::Filter], |cv| box_once(keyed(cv, CANNOT_SORT).map(|pairs| {
        let mut pairs = sorted_by_key(pairs);
        pairs.dedup_by(|b, a| a.0 == b.0);
        pairs.into_iter().map(|p| p.1).collect()
    }))),
    one("min_by", &[Param::Filter], |cv| box_once(keyed(cv, CANNOT_ITERATE).map(|pairs| {
        pairs.into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a }).map_or(Value::Null, |p| p.1)
    }))),
    one("max_by", &[Param::Filter], |cv| box_once(keyed(cv, CANNOT_ITERATE).map(|pairs| {
        pairs.into_iter().reduce(|a, b| if b.0 >= a.0 { b } else { a }).map_or(Value::Null, |p| p.1)
    }))),
    unary!("search_sorted", binary_search).internal(),
];

const CANNOT_SORT: &str = "cannot be sorted, as they are not both arrays";
const CANNOT_ITERATE: &str = "cannot be iterated over";

fn sortable(v: Value) -> Result<Vec<Value>, Failure> {
    if v.depth() > MAX_DEPTH + 1 {
        return fail("Comparison too deep");
    }
    v.into_items().or_else(|v| v.fail_alone("cannot be sorted, as it is not an array"))
}

/// The values in jq's order; what is equal keeps its order.
fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    match items.iter().map(double).collect::<Option<Vec<_>>>() {
        Some(mut numbers) => {
            numbers.sort_by(|x, y| order(*x, *y));
            numbers.into_iter().map(Value::Number).collect()
        }
        None => {
            items.sort_by(Ord::cmp);
            items
        }
    }
}

fn sorted_by_key(mut pairs: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let numbers = pairs.iter().enumerate().map(|(i, pair)| Some((double(&pair.0)?, i)));
    match numbers.collect::<Option<Vec<_>>>() {
        Some(mut numbers) => {
            numbers.sort_by(|x, y| order(x.0, y.0));
            numbers.into_iter().map(|(_, i)| std::mem::take(&mut pairs[i])).collect()
        }
        None => {
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs
        }
    }
}

/// The number that a value is without a text of its own: many of them are sorted faster by themselves.
fn double(v: &Value) -> Option<f64> {
    match v {
        Value::Number(x) => Some(*x),
        _ => None,
    }
}

fn order(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| y.is_nan().cmp(&x.is_nan()))
}

fn extreme(v: Value, wanted: Ordering) -> Outcome {
    match v.into_items() {
        Err(v) => v.fail_pair(&v, "cannot be iterated over"),
        Ok(items) => {
            let better = |a: Value, b: Value| match compare(&b, &a, Purpose::Operator) {
                Ordering::Equal if wanted == Ordering::Greater => b,
                order if order == wanted => b,
                _ => a,
            };
            Ok(items.into_iter().reduce(better).unwrap_or_default())
        }
    }
}

/// The elements with what a filter gives for each: its outputs as an array, or, which sorts the same, the outputs alone where
/// each element has exactly one.
fn keyed<'a>(mut cv: Cv<'a>, complaint: &str) -> Result<Vec<(Value, Value)>, Exn<'a, Value>> {
    let (f, ctx) = cv.0.pop_fun();
    let whole = cv.1.clone();
    let mut pairs = Vec::new();
    let mut bare = true;
    for item in children(cv.1)? {
        let mut outputs = f.run((ctx.clone(), item.clone()));
        let (first, second) = (outputs.next().transpose()?, outputs.next().transpose()?);
        let key = match (first, second) {
            (Some(only), None) if bare => only,
            (first, second) => {
                if std::mem::take(&mut bare) {
                    wrap_keys(&mut pairs);
                }
                let known = [first, second].into_iter().flatten().map(Ok);
                known.chain(outputs).collect::<Result<Value, _>>()?
            }
        };
        pairs.push((key, item));
    }
    if whole.as_array().is_none() {
        if bare {
            wrap_keys(&mut pairs);
        }
        let keys: Value = pairs.iter().map(|p| p.0.clone()).collect();
        whole.fail_pair(&keys, complaint)?;
    }
    Ok(pairs)
}

fn wrap_keys(pairs: &mut [(Value, Value)]) {
    for (key, _) in pairs {
        *key = Value::array(vec![std::mem::take(key)]);
    }
}

fn groups(pairs: Vec<(Value, Value)>) -> Vec<Vec<Value>> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in sorted_by_key(pairs) {
        match groups.last_mut() {
            Some((last, group)) if *last == key => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    groups.into_iter().map(|g| g.1).collect()
}

fn binary_search(v: Value, target: Value) -> Outcome {
    let Some(items) = v.as_array() else {
        return v.fail_alone("cannot be searched from");
    };
    // Halving as jq does it, so that of several equal elements the same one is found.
    let (mut start, mut end) = (0, items.len());
    while start < end {
        let middle = start + (end - start) / 2;
        match compare(&target, &items[middle], Purpose::Operator) {
            Ordering::Equal => return Ok(Value::from(middle)),
            Ordering::Less => end = middle,
            Ordering::Greater => start = middle + 1,
        }
    }
    Ok(Value::Number(-1.0 - start as f64))
}
