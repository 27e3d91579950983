//! Searches the model of the lock protocol, which is a package of its own: see `tests/model/Cargo.toml` for the reason.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rules are for the product")]

use std::process::Command;

#[test]
fn the_lock_protocol_keeps_its_promises_in_every_order_of_steps() {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--manifest-path", "tests/model/Cargo.toml", "--", "--nocapture"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", format!("{root}/target/model"))
        .output()
        .expect("cargo runs");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("test result: ok"), "{told}");
}
