//! Which tool a name means, and the commands about memlatch itself.

use std::{fs, os::unix::fs::symlink};

use crate::sandbox::{BINARY, Sandbox, TOOLS};

#[test]
fn each_tool_answers_to_its_name_with_sh_with_exe_and_as_first_word() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", r#"{"a":1}"#);
    for name in ["memory-read", "memory-read.sh", "memory-read.exe", "/opt/scripts/memory-read.sh"] {
        sandbox.line("memlatch a.json .a -c").named(name).succeeds().prints("1\n");
    }
    sandbox.line("memlatch memory-read a.json .a").succeeds().prints("1\n");
}

#[test]
fn names_that_merely_resemble_a_tool_are_not_taken_for_it() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", r#"{"a":1}"#);
    for name in ["my-memory-read", "memory-read.bash", "memory-readx", "Memory-Read", "read", "memory-read.sh.sh"] {
        sandbox.line("memlatch a.json .a").named(name).ends(2);
        sandbox.line("memlatch memory-read a.json .a").named(name).succeeds().prints("1\n");
    }
    for word in ["read", "memory-rea", "memory-read.sh", "MEMORY-READ"] {
        sandbox.call(["memlatch", word, "a.json", ".a"]).ends(2);
    }
}

#[test]
fn without_a_tool_it_lists_the_tools() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch").ends(2).tells(TOOLS);
}

#[test]
fn every_command_has_help_with_an_example_on_stdout() {
    let sandbox = Sandbox::new();
    for tool in TOOLS {
        let help = sandbox.call([tool, "--help"]).succeeds().reports("").stdout();
        assert!(help.contains("xample") && help.contains(&format!("{tool} ")), "{tool} --help:\n{help}");
    }
    for command in ["acquire", "release", "with", "status", "show", "cleanup"] {
        let help = sandbox.call(["file-lock", command, "--help"]).succeeds().reports("").stdout();
        assert!(help.contains("xample"), "file-lock {command} --help:\n{help}");
    }
    let help = sandbox.line("memlatch --help").succeeds().reports("").stdout();
    for word in TOOLS.into_iter().chain(["install", "doctor", "mcp", "completions", "man"]) {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    assert!(sandbox.line("file-lock help").succeeds().stdout().contains("acquire"));
}

#[test]
fn the_version_is_the_crates() {
    let sandbox = Sandbox::new();
    let version = env!("CARGO_PKG_VERSION");
    assert!(sandbox.line("memlatch --version").succeeds().stdout().contains(version));
    for tool in TOOLS {
        assert!(sandbox.call([tool, "--version"]).succeeds().stdout().contains(version));
    }
}

#[test]
fn install_puts_every_tool_there_under_both_names() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", r#"{"a":1}"#);
    sandbox.line("memlatch install new/bin").succeeds();
    for tool in TOOLS {
        for name in [tool.to_owned(), format!("{tool}.sh")] {
            let link = sandbox.path("new/bin").join(name);
            sandbox.call([link.as_os_str()]).arg("--version").succeeds();
        }
    }
    sandbox.call([sandbox.path("new/bin/memory-update.sh").as_os_str()]).arg("a.json").arg(".a = 2").succeeds();
    sandbox.holds("a.json", "{\n  \"a\": 2\n}\n");
}

#[test]
fn install_without_a_directory_uses_the_default_and_also_links_memlatch() {
    let sandbox = Sandbox::new();
    let usual = sandbox.home().join(".local/bin");
    sandbox
        .line("memlatch install")
        .succeeds()
        .tells(["is not on the PATH", &format!("PATH={}:$PATH", usual.display())]);
    for name in ["memlatch", "file-lock", "memory-read.sh"] {
        sandbox.call([usual.join(name).as_os_str()]).arg("--version").succeeds();
    }
    let path = format!("{}:/usr/bin:/bin", usual.display());
    let output = sandbox.call([usual.join("memlatch").as_os_str()]).arg("install").env("PATH", path).output();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("PATH"), "{output:?}");
    sandbox.line("memlatch install").env("HOME", "").ends(2).refuses().tells(["HOME", "directory"]);
}

#[test]
fn install_again_replaces_its_own_links() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch install bin").succeeds();
    sandbox.line("memlatch install bin").succeeds();
    sandbox.call([sandbox.path("bin/file-lock.sh").as_os_str()]).arg("--version").succeeds();
}

#[test]
fn install_keeps_a_real_script_and_names_it() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/file-lock.sh", "#!/bin/sh\necho mine\n");
    sandbox.line("memlatch install bin").ends(1).tells(["[ERROR] ", "file-lock.sh"]);
    sandbox.holds("bin/file-lock.sh", "#!/bin/sh\necho mine\n");
}

#[test]
fn install_keeps_a_link_to_something_else() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    let own = sandbox.write("own.sh", "#!/bin/sh\necho mine\n");
    symlink(&own, sandbox.path("bin/memory-read")).unwrap();
    sandbox.line("memlatch install bin").ends(1).tells(["[ERROR] ", "memory-read"]);
    assert_eq!(fs::read_link(sandbox.path("bin/memory-read")).unwrap(), own);
}

#[test]
fn install_with_force_renames_a_real_script() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/file-lock.sh", "#!/bin/sh\necho mine\n");
    sandbox.line("memlatch install bin --force").succeeds();
    sandbox.holds("bin/file-lock.sh.orig", "#!/bin/sh\necho mine\n");
    assert_eq!(sandbox.path("bin/file-lock.sh").canonicalize().unwrap(), fs::canonicalize(BINARY).unwrap());
}

#[test]
fn install_keeps_earlier_renamed_scripts() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/file-lock.sh", "mine\n");
    sandbox.write("bin/file-lock.sh.orig", "older\n");
    sandbox.line("memlatch install bin --force").ends(1).tells(["[ERROR] ", "file-lock.sh.orig"]);
    sandbox.holds("bin/file-lock.sh", "mine\n");
    sandbox.holds("bin/file-lock.sh.orig", "older\n");
    assert!(!sandbox.path("bin/memory-read").exists());
}

#[test]
fn install_does_not_replace_the_binary_with_a_link() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    // By another process: a test beside this one may start a program while we had the copy open for writing, and what is
    // open for writing cannot be run.
    sandbox.call(["cp", BINARY, "bin/file-lock"]).succeeds();
    symlink("file-lock", sandbox.path("bin/memlatch")).unwrap();
    sandbox.call([sandbox.path("bin/memlatch").as_os_str()]).arg("install").arg("bin").arg("--force").succeeds();
    assert!(fs::symlink_metadata(sandbox.path("bin/file-lock")).unwrap().is_file());
    for name in ["file-lock", "file-lock.sh", "memory-read"] {
        sandbox.call([sandbox.path("bin").join(name).as_os_str()]).arg("--version").succeeds();
    }
}

#[test]
fn completions_are_there_for_each_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.call(["memlatch", "completions", shell]).succeeds().reports("").stdout();
        assert!(script.contains("memory-update"), "{shell}:\n{script}");
    }
    sandbox.line("memlatch completions cobol").ends(2).tells(["cobol"]);
}
