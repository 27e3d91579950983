//! The user's document: its examples as written, but for the folder that `/tmp` stands for.

use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, available, code};

const EXAMPLE_1: &str = r#"#!/bin/bash
# concurrent-session-test.sh

SESSIONS_FILE="/tmp/test-sessions.json"

# Initialize
echo '{"project": "test", "sessions": []}' > "$SESSIONS_FILE"

# Client 1: Claude Code logging 10 sessions
(
  for i in {1..10}; do
    ./scripts/memory-update.sh "$SESSIONS_FILE" \
      ".sessions += [{\"id\": \"claude-$i\", \"client\": \"claude-code\"}]"
    sleep 0.1
  done
) &

# Client 2: Cursor logging 10 sessions
(
  for i in {1..10}; do
    ./scripts/memory-update.sh "$SESSIONS_FILE" \
      ".sessions += [{\"id\": \"cursor-$i\", \"client\": \"cursor\"}]"
    sleep 0.1
  done
) &

# Wait for both to complete
wait

# Verify all 20 sessions recorded
echo "Total sessions: $(jq '.sessions | length' "$SESSIONS_FILE")"
# Total sessions: 20

# Verify no duplicates
echo "Unique IDs: $(jq '[.sessions[].id] | unique | length' "$SESSIONS_FILE")"
# Unique IDs: 20

# Verify JSON is valid
jq empty "$SESSIONS_FILE" && echo "✓ Valid JSON"
# ✓ Valid JSON
"#;

const EXAMPLE_2: &str = r#"#!/bin/bash
# concurrent-read-write.sh

DATA_FILE="/tmp/test-data.json"
echo '{"counter": 0}' > "$DATA_FILE"

# Writer: Increment counter 100 times
(
  for i in {1..100}; do
    ./scripts/memory-update.sh "$DATA_FILE" '.counter += 1'
    sleep 0.05
  done
) &

WRITER_PID=$!

# Multiple readers: Read the counter
for reader in {1..5}; do
  (
    while kill -0 $WRITER_PID 2>/dev/null; do
      VALUE=$(./scripts/memory-read.sh "$DATA_FILE" --raw | jq -r '.counter')
      echo "Reader $reader: $VALUE"
      sleep 0.1
    done
  ) &
done

wait

# Final value
echo "Final counter: $(jq -r '.counter' "$DATA_FILE")"
# Final counter: 100

# All reads succeeded (no corruption errors)
"#;

const EXAMPLE_3: &str = r#"#!/bin/bash
# crash-recovery.sh

TEST_FILE="/tmp/test-crash.json"
echo '{"data": "initial"}' > "$TEST_FILE"

# Start a process that holds a lock
(
  LOCK_ID=$(./scripts/file-lock.sh acquire "$TEST_FILE")
  echo "Lock acquired: $LOCK_ID"

  # Simulate work
  sleep 2

  # Simulate crash (kill -9 ourselves)
  kill -9 $$
) &

HOLDER_PID=$!

# Wait for lock to be acquired
sleep 0.5

# Try to acquire the lock (will wait)
echo "Attempting to acquire lock..."

# After process dies, stale lock is detected and removed
(
  sleep 3  # Wait for process to be killed
  ./scripts/file-lock.sh cleanup
  echo "Stale locks cleaned"
) &

# This will succeed after cleanup
./scripts/file-lock.sh with "$TEST_FILE" -- echo "Lock acquired successfully after crash!"
"#;

const EXAMPLE_4: &str = r#"#!/bin/bash
# lock-timeout.sh

TEST_FILE="/tmp/test-timeout.json"
echo '{}' > "$TEST_FILE"

# Hold lock for a long time
(
  ./scripts/file-lock.sh with "$TEST_FILE" -- sleep 40
) &

# Give first process time to acquire
sleep 0.5

# Try to acquire with short timeout (will fail)
echo "Trying to acquire lock with 5s timeout..."
LOCK_TIMEOUT=5 ./scripts/file-lock.sh acquire "$TEST_FILE" || echo "✓ Timeout worked as expected"
"#;

fn example(sandbox: &Sandbox, text: &str) -> String {
    text.replace("/tmp", &sandbox.path("").display().to_string())
}

#[test]
fn both_sessions_are_saved() {
    let sandbox = Sandbox::new();
    sandbox.write("sessions.json", "{}");
    let terminal =
        |id: &str| format!("./scripts/memory-update.sh sessions.json '.sessions += [{{\"id\": \"{id}\"}}]'\n");
    sandbox.bash(&format!("{}{}", terminal("session-1"), terminal("session-2"))).succeeds();
    let both = "{\"sessions\":[{\"id\":\"session-1\"},{\"id\":\"session-2\"}]}\n";
    sandbox.line("memory-read sessions.json -c").succeeds().prints(both);
}

#[test]
fn example_1_logs_twenty_sessions_without_a_duplicate() {
    if !available("jq") {
        return;
    }
    let sandbox = Sandbox::new();
    let printed = sandbox.bash(&example(&sandbox, EXAMPLE_1)).succeeds().stdout();
    assert_eq!(printed, "Total sessions: 20\nUnique IDs: 20\n✓ Valid JSON\n");
}

#[test]
fn example_2_reads_without_an_error_and_counts_to_100() {
    if !available("jq") {
        return;
    }
    let sandbox = Sandbox::new();
    let ended = sandbox.bash(&example(&sandbox, EXAMPLE_2)).succeeds();
    let printed = ended.stdout();
    assert!(printed.ends_with("Final counter: 100\n"), "{printed}");
    assert_eq!(ended.stderr().lines().find(|line| !line.starts_with("[OK] ")), None);
    for reader in 1..=5 {
        let name = format!("Reader {reader}: ");
        let values: Vec<u32> = printed
            .lines()
            .filter_map(|line| line.strip_prefix(&name))
            .map(|value| value.parse().unwrap_or_else(|_| panic!("{name}{value:?}")))
            .collect();
        assert!(!values.is_empty() && values.is_sorted(), "{values:?}");
    }
}

#[test]
fn example_3_gives_the_lock_to_the_waiter_after_the_crash_and_before_any_cleanup() {
    let sandbox = Sandbox::new();
    let output = sandbox.bash(&example(&sandbox, EXAMPLE_3)).output();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // `$$` in a subshell is the script itself, so the crash takes the script, and the subshell that owns the lease ends after it.
    assert_eq!(code(output.status), 137);
    let lines: Vec<&str> = printed.lines().collect();
    let acquired = format!("Lock acquired: {}", sandbox.lock_id("test-crash.json"));
    let in_order = ["Attempting to acquire lock...", "Lock acquired successfully after crash!", "Stale locks cleaned"];
    assert!(lines.contains(&acquired.as_str()), "{printed}");
    assert_eq!(lines.iter().filter(|line| !line.starts_with("Lock acquired: ")).copied().collect::<Vec<_>>(), in_order);
}

#[test]
fn example_4_times_out_after_5_seconds_and_not_after_40() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    let running = sandbox.bash(&example(&sandbox, EXAMPLE_4)).start();
    running.says("✓ Timeout worked as expected\n");
    let waited = start.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(25), "{waited:?}");
    assert_eq!(running.printed(), "Trying to acquire lock with 5s timeout...\n✓ Timeout worked as expected\n");
    sandbox.may_leave_locks(); // the 40 seconds are not waited for
}

#[test]
fn example_5_logs_and_initialises_from_a_skill() {
    let sandbox = Sandbox::new();
    let script = r#"
cd "$HOME" && mkdir -p aiconfig && cp -R "$OLDPWD/scripts" aiconfig/
CONTENT='{"sessions": []}'
echo "$CONTENT" | ~/aiconfig/scripts/atomic-write.sh \
  ~/aiconfig/memory/projects/myapp/sessions.json
SESSION_DATA='{"id": "s1"}'
~/aiconfig/scripts/memory-update.sh \
  ~/aiconfig/memory/projects/myapp/sessions.json \
  ".sessions += [$SESSION_DATA]" \
  --backup
~/aiconfig/scripts/memory-read.sh ~/aiconfig/memory/projects/myapp/sessions.json '.sessions[0].id'
cat ~/aiconfig/memory/projects/myapp/sessions.json.bak
"#;
    sandbox.bash(script).succeeds().prints("\"s1\"\n{\"sessions\": []}\n");
}
