//! Modules: where they are found, what their names mean.

use crate::run::with_libraries;
use std::path::Path;

/// A folder of modules.
fn library() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("one.jq", "module {\"version\": 1}; def name: \"one\"; def twice(f): f, f;"),
        ("two/two.jq", "def name: \"two\"; def other: name + \"!\";"),
        (
            "deep/deep.jq",
            "import \"one\" as o {search: \"./..\"}; import \"near\" as n {search: [\"./\"]}; def both: o::name, n::name;",
        ),
        ("deep/near.jq", "def name: \"near\";"),
        ("data.json", "{\"a\": 1} {\"a\": 2}"),
        ("broken.jq", "def x:"),
        ("main.jq", "."),
        ("outer.jq", "include \"one\"; def outer: name;"),
        ("packed/jq/main.jq", "def name: \"packed\";"),
        // a call to itself in the key of a pattern
        (
            "keys.jq",
            "def last_key: if type == \"object\" then . as {(keys | map(last_key) | last): $x} | $x else . end;",
        ),
        ("self.jq", "import \"self\" as s; def x: 1;"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }
    folder
}

#[track_caller]
fn gives(folder: &Path, program: &str, wanted: &[&str]) {
    let outcome = with_libraries(program, "null", &[folder.to_path_buf()]);
    assert_eq!(outcome.outputs, wanted, "{program}: {:?}", outcome.error);
}

#[track_caller]
fn is_refused(folder: &Path, program: &str, why: &str) {
    let outcome = with_libraries(program, "null", &[folder.to_path_buf()]);
    assert!(outcome.refused && outcome.error.as_deref().is_some_and(|e| e.contains(why)), "{program}: {outcome:?}");
}

#[test]
fn modules_are_found_and_named() {
    let folder = library();
    let library = folder.path();
    gives(library, "import \"one\" as m; m::name, [m::twice(1, 2)]", &["\"one\"", "[1,2,1,2]"]);
    gives(library, "import \"two\" as m; m::other", &["\"two!\""]);
    gives(library, "import \"deep\" as m; [m::both]", &["[\"one\",\"near\"]"]);
    gives(library, "import \"deep/near\" as m; m::name", &["\"near\""]);
    gives(library, "include \"two\"; name, other", &["\"two\"", "\"two!\""]);
    gives(library, "include \"two\"; def name: 5; name, other", &["5", "\"two!\""]);
    gives(
        library,
        "import \"one\" as m; import \"two\" as m; m::name, m::other, [m::twice(0)]",
        &["\"two\"", "\"two!\"", "[0,0]"],
    );
    gives(library, "import \"data\" as $d; $d, $d::d[1]", &["[{\"a\":1},{\"a\":2}]", "{\"a\":2}"]);
    gives(library, "\"deep\" | modulemeta | [.deps[].relpath], .defs", &["[\"one\",\"near\"]", "[\"both/0\"]"]);
    gives(library, "\"one\" | modulemeta", &["{\"version\":1,\"deps\":[],\"defs\":[\"name/0\",\"twice/1\"]}"]);
}

#[test]
fn a_module_that_cannot_be_loaded_is_a_compile_error() {
    let folder = library();
    let library = folder.path();
    is_refused(library, "import \"none\" as m; 1", "module not found: none");
    is_refused(library, "import \"broken\" as m; 1", "broken.jq, line 1");
    is_refused(library, "import \"main\" as m; 1", "only have function definitions");
    is_refused(library, "import \"self\" as m; 1", "imports itself");
    is_refused(library, "import \"../one\" as m; 1", "parent directories");
    is_refused(library, "import \"one\" as m; m::nothing", "m::nothing/0 is not defined");
    is_refused(library, "module (1 + 1); 1", "must be constant");
}

#[test]
fn metadata_says_where_and_how_to_load() {
    let folder = library();
    let library = folder.path();
    gives(library, "import \"packed\" as m; m::name", &["\"packed\""]);
    gives(library, "import \"data\" as $d {raw: true}; $d", &["\"{\\\"a\\\": 1} {\\\"a\\\": 2}\""]);
    // What an included module includes is its own.
    is_refused(library, "include \"outer\"; name", "name/0 is not defined");
    gives(library, "include \"outer\"; outer", &["\"one\""]);
    gives(library, "import \"none\" as m {optional: true}; import \"none\" as $d {optional: true}; 1", &["1"]);
    is_refused(library, "import \"none\" as m {optional: true}; m::name", "m::name/0 is not defined");
    is_refused(library, "import \"one\" as m {search: \"./elsewhere\"}; 1", "module not found: one");
    // The working directory of tests is the package's.
    gives(library, "import \"tests/filters/modules/here\" as m; m::name", &["\"here\""]);
}

#[test]
fn a_function_calls_itself_in_the_key_of_a_pattern() {
    let folder = library();
    gives(folder.path(), "import \"keys\" as m; {\"a\": 1, \"b\": 2} | m::last_key", &["2"]);
}
