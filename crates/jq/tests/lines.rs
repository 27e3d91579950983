//! JSON Lines, read and written.

use memlatch_jq::document::lines::{Tail, lines, parse_lines, tail, write_line};

fn written(text: &[u8]) -> String {
    let mut out = Vec::new();
    for value in parse_lines(text).expect("the text is JSON Lines") {
        write_line(&value, false, &mut out).expect("memory takes every line");
    }
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn error(text: &[u8]) -> (usize, usize, String) {
    let error = parse_lines(text).expect_err("the text is not JSON Lines");
    (error.line, error.column, error.what)
}

#[test]
fn each_line_is_one_value_and_keeps_its_text() {
    let text = b"{\"price\":1.10,\"id\":12345678901234567890123}\n[1e3,\"\\u00e9\\n\"]\nnull\n\"x\"\n";
    assert_eq!(written(text), "{\"price\":1.10,\"id\":12345678901234567890123}\n[1e3,\"é\\n\"]\nnull\n\"x\"\n");
}

#[test]
fn line_ends_of_windows_blank_lines_and_a_missing_last_line_end_are_read() {
    assert_eq!(written(b"\xEF\xBB\xBF{\"a\": 1}\r\n\r\n \t\n[ 2 ]\n\n3"), "{\"a\":1}\n[2]\n3\n");
    assert_eq!(written(b""), "");
    assert_eq!(written(b"\n\n"), "");
}

#[test]
fn an_error_names_its_line_and_column() {
    assert_eq!(error(b"1\n\n{\"a\" 1}\n"), (3, 6, "expected ':', found '1'".into()));
    assert_eq!(error(b"1\n2 3\n"), (2, 3, "unexpected '3' after the value".into()));
    assert_eq!(error(b"{\"a\":\n1}\n"), (1, 6, "expected a value, found end of line".into()));
    assert_eq!(error(b"1\n\"\xff\"\n"), (2, 2, "invalid UTF-8".into()));
    assert_eq!(error(b"1\n\xEF\xBB\xBF2\n"), (2, 1, "unexpected byte order mark".into()));
}

#[test]
fn the_lines_after_a_bad_one_can_be_read() {
    let read: Vec<_> = lines(b"1\noops\n3\n").map(|line| line.map(|v| v.to_string()).map_err(|e| e.line)).collect();
    assert_eq!(read, [Ok("1".into()), Err(2), Ok("3".into())]);
}

#[test]
fn a_cut_last_line_is_distinguished_from_a_whole_one() {
    for ended in [&b""[..], b"\n", b"1\n", b"{\"a\":1}\r\n"] {
        assert_eq!(tail(ended), Tail::Ended, "{}", String::from_utf8_lossy(ended));
    }
    for unended in [&b"1"[..], b"1\n{\"a\":1}", b"1\n  ", b"\"x\" "] {
        assert_eq!(tail(unended), Tail::Unended, "{}", String::from_utf8_lossy(unended));
    }
    assert_eq!(tail(b"1\n{\"a\":"), Tail::Torn(2));
    assert_eq!(tail(b"{\"a\":1}{"), Tail::Torn(0));
    assert_eq!(tail(b"1\n\"\xc3"), Tail::Torn(2));
}

#[test]
fn every_prefix_of_an_append_is_whole_lines_and_a_tail() {
    let before = "{\"n\":1}\n";
    let whole = format!("{before}{{\"text\":\"é\\n\",\"list\":[1,2]}}\n");
    for cut in before.len()..whole.len() {
        let text = &whole.as_bytes()[..cut];
        let kept = match tail(text) {
            Tail::Torn(start) => &text[..start],
            Tail::Ended | Tail::Unended => text,
        };
        let values = parse_lines(kept).expect("what is not torn can be read");
        assert_eq!(values.len(), 1 + usize::from(cut == whole.len() - 1), "cut at {cut}");
    }
}
