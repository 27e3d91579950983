//! What a program may see of the machine that it runs on.

use memlatch_jq::filter::{Access, Environment, Input, Program, compile, on_large_stack};
use std::{ops::ControlFlow, path::PathBuf};

/// The program's outputs, or why it does not compile or fails.
fn run(text: &str, access: Access) -> Result<Vec<String>, String> {
    let work = || {
        let libraries = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filters/modules"))];
        let program = Program { text: text.into(), libraries, access, ..Program::default() };
        let filter = compile(program).map_err(|e| e.message)?;
        let mut outputs = Vec::new();
        let ended = filter.run(Input::One("here".into()), &mut |output| {
            outputs.push(output.to_string());
            ControlFlow::Continue(())
        });
        ended.map(|()| outputs).map_err(|e| e.to_string())
    };
    on_large_stack(work).expect("there is room for one more stack")
}

#[test]
fn without_access_a_program_sees_neither_files_nor_the_environment() {
    for program in [
        "import \"here\" as h; h::name",
        "include \"here\"; name",
        "import \"here\" as $d; $d",
        "import \"here\" as h {search: \".\", optional: true}; 1",
        "modulemeta",
    ] {
        assert!(run(program, Access::default()).is_ok() || program.contains('$'), "{program}");
        let refused = run(program, Access::none()).expect_err(program);
        assert!(refused.contains("this program may not read files"), "{program}: {refused}");
    }
    assert_eq!(run("$ENV, env, get_search_list", Access::none()).unwrap(), ["{}", "{}", "[]"]);
    assert_eq!(run("get_prog_origin, get_jq_origin", Access::none()).unwrap(), ["null", "null"]);
    assert_ne!(run("$ENV | length", Access::default()).unwrap(), ["0"]);
}

#[test]
fn an_environment_can_be_given() {
    let given = vec![("NAME".to_owned(), "value".to_owned())];
    let access = Access { environment: Environment::Of(given), ..Access::none() };
    assert_eq!(run("$ENV, env.NAME, $ENV.HOME", access).unwrap(), ["{\"NAME\":\"value\"}", "\"value\"", "null"]);
}

#[test]
fn the_home_directory_is_the_one_that_is_given() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join(".jq"), "def mine: \"mine\";").expect("the file can be written");
    let access = Access { home: Some(home.path().to_owned()), ..Access::default() };
    assert_eq!(run("mine", access.clone()).unwrap(), ["\"mine\""]);
    // A file that may not be read is not included either.
    let refused = run("mine", Access { files: false, ..access }).unwrap_err();
    assert!(refused.contains("mine/0 is not defined"), "{refused}");
}
