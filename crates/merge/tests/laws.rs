//! What holds of every merge, over generated documents.

use memlatch_jq::{
    document::parse,
    filter::on_large_stack,
    value::{Map, Value},
};
use memlatch_merge::{Decision, Merged, Rules, Side, merge};
use proptest::{collection::vec, prelude::*};

/// JSON texts: scalars, sequences, records with and without an identity, objects; a few keys and values, so that they meet.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (0..4u8).prop_map(|n| n.to_string()),
        prop_oneof![Just("1.10"), Just("12345678901234567890123"), Just("1e3")].prop_map(str::to_owned),
        "[a-c]{0,2}".prop_map(|text| format!("{text:?}")),
    ];
    scalar.prop_recursive(4, 24, 5, |inner| {
        let member = ("[a-d]", inner.clone()).prop_map(|(key, value)| format!("{key:?}: {value}"));
        let record = (0..5u8, inner.clone(), prop::bool::weighted(0.9))
            .prop_map(|(id, value, named)| if named { format!("{{\"id\": {id}, \"v\": {value}}}") } else { value });
        prop_oneof![
            vec(inner, 0..5).prop_map(|values| format!("[{}]", values.join(", "))),
            vec(record, 0..5).prop_map(|values| format!("[{}]", values.join(", "))),
            vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    })
}

/// What a side made of a document by a few small changes, which the seed decides.
fn changed(base: &Value, seed: &mut std::vec::IntoIter<u8>, depth: u32) -> Value {
    let roll = seed.next().unwrap_or(3);
    let keep = |value: &Value, seed: &mut std::vec::IntoIter<u8>| match seed.next().unwrap_or(3) % 8 {
        0 => None,
        1 if depth < 4 => Some(changed(value, seed, depth + 1)),
        _ => Some(value.clone()),
    };
    match base.open() {
        Value::Object(members) => {
            let mut map = Map::default();
            for (key, value) in members.iter() {
                if let Some(value) = keep(value, seed) {
                    map.insert(key.clone(), value);
                }
            }
            if roll % 3 == 0 {
                map.insert(format!("n{}", roll % 7).as_str().into(), Value::from(usize::from(roll)));
            }
            Value::object(map)
        }
        Value::Array(elements) => {
            let mut list: Vec<Value> = elements.iter().filter_map(|element| keep(element, seed)).collect();
            if roll % 2 == 0 {
                list.push(of(&format!("{{\"id\": {}, \"v\": {}}}", 10 + roll % 5, roll / 5)));
            }
            Value::array(list)
        }
        _ => Value::from(usize::from(roll % 5)),
    }
}

fn of(text: &str) -> Value {
    parse(text.as_bytes().to_vec()).expect("generated JSON")
}

/// Bases with two descendants, or three documents that have nothing to do with each other.
fn three() -> impl Strategy<Value = [String; 3]> {
    let related = (document(), vec(any::<u8>(), 40), vec(any::<u8>(), 40)).prop_map(|(base, one, two)| {
        let value = of(&base);
        let [one, two] = [one, two].map(|seed| changed(&value, &mut seed.into_iter(), 0).to_string());
        [base, one, two]
    });
    let unrelated = [document(), document(), document()];
    prop_oneof![4 => related, 1 => unrelated]
}

fn run(texts: &[String; 3], rules: &Rules) -> Merged {
    let [base, ours, theirs] = texts.each_ref().map(|text| of(text));
    merge(&base, &ours, &theirs, rules)
}

/// Every scalar and key in a document, as many times as it is there.
fn parts(value: &Value, found: &mut Vec<String>) {
    match value.open() {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            found.push(format!("key {}", key.as_str()));
            parts(value, found);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| parts(element, found)),
        scalar => found.push(scalar.to_string()),
    }
}

/// The elements and members that `side` has at some place and `base` has not: directly below the same path.
fn added(base: &Value, side: &Value, found: &mut Vec<Value>) {
    match (base.open(), side.open()) {
        (Value::Object(base), Value::Object(side)) => {
            for (key, value) in side.iter() {
                match base.get(key) {
                    Some(before) => added(before, value, found),
                    None => found.push(value.clone()),
                }
            }
        }
        (Value::Array(base), Value::Array(side)) => {
            let id = |value: &Value| value.as_object().and_then(|members| members.get("id").cloned());
            for value in side.iter() {
                let known = |before: &Value| before == value || id(before).is_some() && id(before) == id(value);
                if !base.iter().any(known) {
                    found.push(value.clone());
                }
            }
        }
        _ => {}
    }
}

fn contains(document: &Value, part: &Value) -> bool {
    document == part
        || match document.open() {
            Value::Object(members) => members.iter().any(|(_, value)| contains(value, part)),
            Value::Array(elements) => elements.iter().any(|element| contains(element, part)),
            _ => false,
        }
}

/// A document without the order of its arrays.
fn unordered(value: &Value) -> Value {
    match value.open() {
        Value::Object(members) => {
            let mut map = Map::default();
            members.iter().for_each(|(key, value)| map.insert(key.clone(), unordered(value)));
            Value::object(map)
        }
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.iter().map(unordered).collect();
            elements.sort();
            Value::array(elements)
        }
        _ => value.clone(),
    }
}

fn on_stack(check: impl FnOnce() -> Result<(), TestCaseError> + Send) -> Result<(), TestCaseError> {
    on_large_stack(check).expect("a stack")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_side_that_changed_nothing_gives_way(texts in three()) {
        on_stack(move || {
            let [base, ours, theirs] = texts;
            let merged = run(&[base.clone(), base.clone(), theirs.clone()], &Rules::default());
            prop_assert!(merged.conflicts.is_empty());
            prop_assert_eq!(merged.value.to_string(), of(&theirs).to_string());
            let merged = run(&[base.clone(), ours.clone(), base], &Rules::default());
            prop_assert!(merged.conflicts.is_empty());
            prop_assert_eq!(merged.value, of(&ours));
            Ok(())
        })?;
    }

    #[test]
    fn what_both_made_alike_is_the_result(texts in three()) {
        on_stack(move || {
            let [base, ours, _] = texts;
            let merged = run(&[base, ours.clone(), ours.clone()], &Rules::default());
            prop_assert!(merged.conflicts.is_empty());
            prop_assert_eq!(merged.value, of(&ours));
            Ok(())
        })?;
    }

    #[test]
    fn whether_it_conflicts_does_not_depend_on_the_side(texts in three()) {
        on_stack(move || {
            let [base, ours, theirs] = texts;
            let one = run(&[base.clone(), ours.clone(), theirs.clone()], &Rules::default());
            let other = run(&[base, theirs, ours], &Rules::default());
            prop_assert_eq!(one.conflicts.is_empty(), other.conflicts.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn nothing_that_a_side_added_is_missing_from_a_clean_result(texts in three()) {
        on_stack(move || {
            let merged = run(&texts, &Rules::default());
            if merged.conflicts.is_empty() {
                let [base, ours, theirs] = texts.each_ref().map(|text| of(text));
                for side in [&ours, &theirs] {
                    let mut new = Vec::new();
                    added(&base, side, &mut new);
                    for part in new {
                        prop_assert!(contains(&merged.value, &part), "{part} is missing from {}", merged.value);
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn two_machines_that_merge_each_other_agree_up_to_the_order_of_appends(texts in three()) {
        on_stack(move || {
            let [base, ours, theirs] = texts;
            let one = run(&[base.clone(), ours.clone(), theirs.clone()], &Rules::default());
            let other = run(&[base, theirs, ours], &Rules::default());
            if one.conflicts.is_empty() {
                prop_assert_eq!(unordered(&one.value), unordered(&other.value));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_preference_leaves_no_conflict_and_a_mark_leaves_both_values(texts in three()) {
        on_stack(move || {
            for side in [Side::Ours, Side::Theirs] {
                let rules = Rules::deciding(Decision::Prefer(side));
                prop_assert!(run(&texts, &rules).conflicts.is_empty());
            }
            let marked = run(&texts, &Rules::deciding(Decision::Mark));
            for conflict in &marked.conflicts {
                for value in [&conflict.ours, &conflict.theirs].into_iter().flatten() {
                    prop_assert!(contains(&marked.value, value), "{value} of {} in {}", conflict.path, marked.value);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_neither_side_touched_keeps_its_text(texts in three()) {
        on_stack(move || {
            let merged = run(&texts, &Rules::default());
            let mut known = Vec::new();
            texts.iter().for_each(|text| parts(&of(text), &mut known));
            let mut found = Vec::new();
            parts(&merged.value, &mut found);
            for part in found {
                prop_assert!(known.contains(&part), "{part} is in none of {texts:?}");
            }
            Ok(())
        })?;
    }
}

/// Clients that read, think and write, one step at a time in any order.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Read the document, and add something to what was read.
    Think,
    /// Write it back, merged with what has become of what was read.
    Merge,
    /// Write it back only if nobody else has written, else think again.
    Compare,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_write_loses_what_another_acknowledged_write_has_added(
        steps in vec((0..5usize, prop_oneof![Just(Act::Think), Just(Act::Merge), Just(Act::Compare)]), 0..80)
    ) {
        on_stack(move || {
            let mut file = of("{\"sessions\": [{\"id\": \"first\"}], \"tags\": [\"a\"], \"by\": {}}");
            let mut minds: [Option<(Value, Value, String)>; 5] = Default::default();
            let mut acknowledged: Vec<String> = Vec::new();
            for (count, (client, act)) in steps.into_iter().enumerate() {
                match (act, minds[client].take()) {
                    (Act::Think, _) | (_, None) => {
                        let new = format!("c{client}-{count}");
                        minds[client] = Some((file.clone(), with_entry(&file, &new), new));
                    }
                    (Act::Compare, Some((read, _, _))) if read != file => {}
                    (Act::Compare, Some((_, made, new))) => {
                        file = made;
                        acknowledged.push(new);
                    }
                    (Act::Merge, Some((read, made, new))) => {
                        let merged = merge(&read, &made, &file, &Rules::default());
                        prop_assert!(merged.conflicts.is_empty(), "{:?}", merged.conflicts);
                        file = merged.value;
                        acknowledged.push(new);
                    }
                }
                let text = file.to_string();
                for entry in &acknowledged {
                    let count = text.matches(&format!("\"{entry}\"")).count();
                    prop_assert_eq!(count, 3, "{} in {}", entry, text);
                }
            }
            Ok(())
        })?;
    }
}

/// The document with one more session, tag and member.
fn with_entry(document: &Value, new: &str) -> Value {
    let mut members = Map::default();
    for (key, value) in document.as_object().expect("an object").iter() {
        let value = match (key.as_str(), value.open()) {
            ("sessions", Value::Array(sessions)) => {
                sessions.iter().cloned().chain([of(&format!("{{\"id\": {new:?}}}"))]).collect()
            }
            ("tags", Value::Array(tags)) => tags.iter().cloned().chain([Value::from(new)]).collect(),
            ("by", Value::Object(by)) => {
                let mut by = (**by).clone();
                by.insert(new.into(), Value::from(true));
                Value::object(by)
            }
            _ => value.clone(),
        };
        members.insert(key.clone(), value);
    }
    Value::object(members)
}
