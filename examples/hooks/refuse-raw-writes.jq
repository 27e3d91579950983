# A hook's event -> its name, then the memory files that the tool call would write past their lock, each a string.
# The event is PreToolUse of Claude Code or Codex, BeforeTool of Gemini CLI, or beforeShellExecution or preToolUse of Cursor.

# Whether a path is a memory file's. This is the line to change where memory files lie elsewhere.
def is_memory_file: test("(^|/)memory/(.*/)?[^/]+\\.json$");

# A shell command -> its tokens: {op} for operators, {word} for words without their quotes. A heredoc's text is no
# command, so it goes first; the rest of its first line stays.
def without_heredocs:
	gsub("<<-?\\s*([\"']?)(?<tag>\\w+)\\1(?<rest>[^\\n]*)\\n(?:.*\\n)*?\\s*\\k<tag>(?=\\s|$)"; .rest + "\n");
def unquoted:
	if startswith("'") then .[1:-1]
	elif startswith("\"") then .[1:-1] | gsub("\\\\(?<c>[\"\\\\$`])"; .c)
	else gsub("\\\\(?<c>.)"; .c) end;
def tokens:
	"'[^']*'|\"(?:[^\"\\\\]|\\\\.)*\"|(?:\\\\.|[^\\s'\"\\\\;&|()<>])+" as $part
	| [scan("(?:\($part))+|[0-9]*&?>>?[|&]?|<+|&&|\\|\\|?&?|[;&()\\n]"; "s")
		| if test("^[0-9]*&?>") or test("^[<;&|()\\n]") then {op: .}
		  else {word: ([scan($part; "s") | unquoted] | add // "")} end];

# Tokens -> simple commands: each the list of its words, and of the words that its redirections write to.
def commands:
	reduce .[] as $token ([{words: [], writes: [], next: "words"}];
		if $token.op then
			if $token.op | test(">") then .[-1].next = (if $token.op | test("[0-9&]$|>&$") then "words" else "writes" end)
			elif $token.op | startswith("<") then .[-1].next = "reads"
			else . + [{words: [], writes: [], next: "words"}] end
		else .[-1] |= (.[.next] += [$token.word] | .next = "words") end);

# What goes before a command and is none: variables and programs that run another one.
def program:
	until(length == 0 or (first | test("^\\w+=|^(sudo|env|command|exec|nohup|time|builtin|then|do|else|if|while|!|\\{)$") | not);
		.[1:]);
def name: (first // "") | sub("^.*/"; "") | sub("\\.sh$"; "");
def operands: .[1:] | map(select(startswith("-") | not));

# The files that a command writes to by itself, `with` apart: what runs under the lock may write.
def written:
	name as $name
	| if $name | test("^(tee|sponge|truncate|rm|unlink|shred|ed|ex|mv|rsync)$") then operands[]
	  elif $name | test("^(cp|ln|install)$") then
		(operands | last // empty) as $to | if $to | endswith("/") then operands[:-1][] | $to + sub("^.*/"; "") else $to end
	  elif $name == "dd" then .[] | select(startswith("of=")) | .[3:]
	  elif $name | test("^(sed|perl|ruby|yq|gojq|jaq)$") then
		if any(.[]; test("^-[a-zA-Z]*i|^--in-?place")) then operands[] else empty end
	  elif $name == "git" then
		operands as $words
		| if ($words | first // "") | test("^(checkout|restore|rm|mv|stash)$") then $words[1:][] else empty end
	  elif $name | test("^(curl|wget)$") then
		. as $words | range(1; length) | select($words[. - 1] | test("^(-o|-O|--output|--output-document)$")) | $words[.]
	  else empty end;

def absolute($folder): if test("^[/~$]") then . else "\($folder)/\(.)" end;

# The files of a patch, as Codex gives them to its tool apply_patch or to a command of that name.
def patched:
	select(contains("*** Begin Patch")) | split("\n")[]
	| capture("^\\*\\*\\* ((Add|Update|Delete) File|Move to): (?<file>.*[^ \\t\\r])").file;

# A command's text and the folder that it starts in -> the memory files that it writes to.
def raw_writes($folder):
	foreach (without_heredocs | tokens | commands[]) as $command ({folder: $folder, found: []};
		($command.words | program) as $words
		| if ($words | name) == "cd" then .folder as $from | .folder = ($words[1] // "~" | absolute($from)) else . end
		| .folder as $from
		| .found = ([$command.writes[], ($words | written) | absolute($from)]
			+ (if $words | name | test("^(ba|da|z|k)?sh$|^eval$")
			   then [$words[1:] | map(select(startswith("-") | not)) | first // empty | raw_writes($from)] else [] end));
		.found[] | select(is_memory_file));

# A program that is given as text and opens files for writing: nothing but its look tells.
def inline_program:
	select(test("\\b(python[0-9.]*|node|ruby|perl|php)\\b"))
	| select(test("open\\([^)]*,\\s*(mode=)?[\"'][wax+]|write_text|writeFile|File\\.write|file_put_contents"))
	| scan("[^\\s\"'`(),=]*memory/[^\\s\"'`(),]*\\.json") | select(is_memory_file);

.hook_event_name // "",
((.command // .tool_input.command // "") as $command
| (.cwd // "") as $folder
# Tools that only look at files; Claude Code, Gemini CLI and opencode call them so.
| ((.tool_name // "") | test("^(Read|NotebookRead|Grep|Glob|LS|read|grep|glob|list|read_file|read_many_files|list_directory|search_file_content)$")) as $looks
| [if $looks then empty else
	(.tool_input | objects | .file_path, .path, .notebook_path | strings | absolute($folder) | select(is_memory_file)) end,
	($command | patched | absolute($folder) | select(is_memory_file)),
	(if .tool_name == "apply_patch" then empty else $command | raw_writes($folder), inline_program end)]
| unique[])
