//! What jq defines in its own language, one definition a line: only those that a program reaches are parsed and compiled.
//!
//! Where jq's definition is a loop over elements, a function in Rust does the work (`values`, `loops`).

use super::builtin::Param::{Filter, Path, Value};
use super::builtin::{Builtin, Count, Leads, defined};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    defined("empty", &[], "def empty: {}[] as $x | .;").gives(Count::None).leads(Leads::Somewhere),
    defined("not", &[], "def not: if . then false else true end;").gives(Count::One),
    SELECT,
    defined("recurse", &[Filter, Filter], "def recurse(f; cond): recurse(f | select(cond));").leads(Leads::Somewhere),
    defined("while", &[Filter, Filter], "def while(cond; update): def r: if cond then ., (update | r) else empty end; r;").leads(Leads::Somewhere),
    defined("until", &[Filter, Filter], "def until(cond; update): def r: if cond then . else update | r end; r;").leads(Leads::Somewhere),
    defined("range", &[Value], "def range($upto): $upto as $u | 0 as $z | range_between($z; $u);"),
    defined("range", &[Value, Value], "def range($from; $upto): range_between($from; $upto);"),
    defined("range", &[Value, Value, Value], "def range($from; $upto; $by): if $by > 0 then $from | while(. < $upto; . + $by) elif $by < 0 then $from | while(. > $upto; . + $by) else empty end;"),
    defined("map", &[Filter], "def map(f): [.[] | f];").gives(Count::One),
    defined("map_values", &[Filter], "def map_values(f): .[] |= f;").gives(Count::One),
    defined("walk", &[Filter], "def walk(f): def w: map_children(w) | f; w;").gives(Count::AsArgument),
    defined("with_entries", &[Filter], "def with_entries(f): to_entries | map(f) | from_entries;").gives(Count::One),
    defined("pick", &[Path], "def pick(f): . as $top | reduce path(f) as $p (null; setpath($p; $top | getpath($p)));").gives(Count::One),
    defined("to_entries", &[], "def to_entries: [keys_unsorted[] as $k | {key: $k, value: .[$k]}];").gives(Count::One),
    defined("arrays", &[], "def arrays: select(type == \"array\");").leads(Leads::Somewhere),
    defined("objects", &[], "def objects: select(type == \"object\");").leads(Leads::Somewhere),
    defined("iterables", &[], "def iterables: select(type | . == \"array\" or . == \"object\");").leads(Leads::Somewhere),
    defined("booleans", &[], "def booleans: select(type == \"boolean\");").leads(Leads::Somewhere),
    defined("numbers", &[], "def numbers: select(type == \"number\");").leads(Leads::Somewhere),
    defined("strings", &[], "def strings: select(type == \"string\");").leads(Leads::Somewhere),
    defined("nulls", &[], "def nulls: select(. == null);").leads(Leads::Somewhere),
    defined("values", &[], "def values: select(. != null);").leads(Leads::Somewhere),
    defined("scalars", &[], "def scalars: select(type | . != \"array\" and . != \"object\");").leads(Leads::Somewhere),
    defined("normals", &[], "def normals: select(isnormal);").leads(Leads::Somewhere),
    defined("finites", &[], "def finites: select(isfinite);").leads(Leads::Somewhere),
    defined("isfinite", &[], "def isfinite: type == \"number\" and (isinfinite | not);").gives(Count::One),
    FIRST_ELEMENT,
    LAST_ELEMENT,
    defined("nth", &[Value], "def nth($n): .[$n];").gives(Count::One).leads(Leads::Somewhere),
    defined("nth", &[Value, Filter], "def nth($n; f): if $n < 0 then error(\"nth doesn't support negative indices\") else first(skip($n; f)) end;").gives(Count::First).leads(Leads::AlongLast),
    defined("limit", &[Value, Filter], "def limit($n; f): if $n < 0 then error(\"limit doesn't support negative count\") elif $n == 0 then empty elif $n | type == \"number\" then limit_to($n; f) else f | $n - 1 end;").leads(Leads::AlongLast),
    defined("skip", &[Value, Filter], "def skip($n; f): if $n < 0 then error(\"skip doesn't support negative count\") elif $n | type == \"number\" then skip_first($n | floor; f) else f | $n - 1 end;").leads(Leads::AlongLast),
    defined("all", &[Filter], "def all(cond): all(.[]; cond);").gives(Count::One),
    defined("any", &[Filter], "def any(cond): any(.[]; cond);").gives(Count::One),
    defined("all", &[], "def all: all(.[]; .);").gives(Count::One),
    defined("any", &[], "def any: any(.[]; .);").gives(Count::One),
    defined("add", &[], "def add: add(.[]);").gives(Count::One),
    defined("flatten", &[], "def flatten: flatten_to(1e9);").gives(Count::One),
    defined("flatten", &[Value], "def flatten($depth): if $depth < 0 then error(\"flatten depth must not be negative\") else flatten_to($depth) end;").gives(Count::One),
    defined("in", &[Filter], "def in(xs): . as $x | xs | has($x);"),
    defined("inside", &[Filter], "def inside(xs): . as $x | xs | contains($x);"),
    defined("combinations", &[Filter], "def combinations(n): . as $dot | [range(n) | $dot] | combinations;"),
    defined("transpose", &[], "def transpose: [range(0; map(length) | max // 0) as $i | [.[][$i]]];").gives(Count::One),
    defined("reverse", &[], "def reverse: if type == \"array\" then reverse_array else [.[length - 1 - range(0; length)]] end;").gives(Count::One),
    defined("indices", &[Value], "def indices($i): if type == \"array\" and ($i | type) == \"array\" then .[$i] elif type == \"array\" then .[[$i]] elif type == \"string\" and ($i | type) == \"string\" then _strindices($i) else .[$i] end;").gives(Count::One),
    defined("index", &[Value], "def index($i): indices($i) | .[0];").gives(Count::One),
    defined("rindex", &[Value], "def rindex($i): indices($i) | .[-1:][0];").gives(Count::One),
    defined("todate", &[], "def todate: strftime(\"%Y-%m-%dT%H:%M:%SZ\");").gives(Count::One),
    defined("todateiso8601", &[], "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\");").gives(Count::One),
    defined("fromdate", &[], "def fromdate: fromdateiso8601;").gives(Count::One),
    defined("fromdateiso8601", &[], "def fromdateiso8601: strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime;").gives(Count::One),
    defined("match", &[Filter, Filter], "def match(re; flags): flags as $flags | re as $re | matches_of($re; $flags)[];"),
    defined("test", &[Filter, Filter], "def test(re; flags): flags as $flags | re as $re | test_for($re; $flags);").gives(Count::AsArgument),
    defined("capture", &[Filter, Filter], "def capture(re; flags): flags as $flags | re as $re | captures_of($re; $flags)[];"),
    defined("scan", &[Value, Value], "def scan($re; $flags): scanned_for($re; \"g\" + $flags)[];"),
    defined("scan", &[Value], "def scan($re): scan($re; null);"),
    defined("splits", &[Value, Value], "def splits($re; $flags): split_at($re; $flags + \"g\")[];"),
    defined("splits", &[Value], "def splits($re): splits($re; null);"),
    defined("split", &[Value, Value], "def split($re; $flags): split_at($re; $flags + \"g\");").gives(Count::One),
    defined("sub", &[Value, Filter, Value], "def sub($re; f; $flags): substitute($re; f; $flags);"),
    defined("sub", &[Value, Filter], "def sub($re; f): sub($re; f; \"\");"),
    defined("gsub", &[Value, Filter, Value], "def gsub($re; f; $flags): sub($re; f; $flags + \"g\");"),
    defined("gsub", &[Value, Filter], "def gsub($re; f): sub($re; f; \"g\");"),
    defined("truncate_stream", &[Filter], "def truncate_stream(stream): . as $n | null | stream | . as $input | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;"),
    defined("INDEX", &[Filter, Filter], "def INDEX(stream; key): reduce stream as $row ({}; .[$row | key | tostring] = $row);"),
    defined("INDEX", &[Filter], "def INDEX(key): INDEX(.[]; key);"),
    defined("JOIN", &[Value, Filter], "def JOIN($index; key): [.[] | [., $index[key]]];"),
    defined("JOIN", &[Value, Filter, Filter], "def JOIN($index; stream; key): stream | [., $index[key]];"),
    defined("JOIN", &[Value, Filter, Filter, Filter], "def JOIN($index; stream; key; join): stream | [., $index[key]] | join;"),
    defined("debug", &[Filter], "def debug(messages): (messages | debug | empty), .;"),
    defined("halt_error", &[], "def halt_error: halt_error(5);"),
    defined("format", &[Value], "def format($name): format_as($name);").gives(Count::One),
    defined("@text", &[], "def @text: tostring;").gives(Count::One),
    defined("@json", &[], "def @json: tojson;").gives(Count::One),
    defined("gamma", &[], "def gamma: lgamma;").gives(Count::One),
    defined("bsearch", &[Value], "def bsearch($target): search_sorted($target);").gives(Count::One),
];

/// The input, if it is wanted.
pub const SELECT: Builtin = defined("select", &[Filter], "def select(f): if f then . else empty end;")
    .gives(Count::Selected)
    .leads(Leads::Somewhere);

/// `.[0]`
pub const FIRST_ELEMENT: Builtin = defined("first", &[], "def first: .[0];").gives(Count::One).leads(Leads::Somewhere);

/// `.[-1]`
pub const LAST_ELEMENT: Builtin = defined("last", &[], "def last: .[-1];").gives(Count::One).leads(Leads::Somewhere);
