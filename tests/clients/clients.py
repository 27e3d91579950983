"""The AI clients: where each comes from, how it is started without a terminal, and what its tools are called.

What a client needs to take the scripted model for its own goes onto its command line, into its environment or into a file of
the system's, so that its user's configuration holds nothing but the lines of the docs. Not for what is tried with them.
"""

import json
import shutil

from npm import Missing, Package

MODEL = "scripted"


class Client:
    """One client. Calls of its tools are pairs of name and input, as the model makes them."""

    name = package = version = program = ""
    sandbox = None  # why there is nothing to try, if it has none
    asks_for = ()  # programs that it does not work without
    sandbox_asks_for = ()  # and its sandbox

    def __init__(self):
        self.npm = Package(self.package, self.version, self.program)

    def install(self):
        """Sees to it that the client can be run here, or raises why not."""
        self.npm.install()
        for program in self.asks_for:
            if not shutil.which(program):
                raise Missing(f"{program} is missing")

    def words(self, prompt, servers, address, sandboxed):
        """The command line without the program, for one prompt."""
        raise NotImplementedError

    def variables(self, home, servers, address):
        """What goes into the environment."""
        return {}

    def skill(self, name):
        """The call that loads a skill, if there is a tool for that."""
        return None


class Claude(Client):
    name, package, version = "claude-code", "@anthropic-ai/claude-code", "2.1.332"
    program = "@anthropic-ai/claude-code-linux-*/claude"
    title, command, skills = "Claude Code", "claude", ".claude/skills"
    writers = ("Bash", "Write")
    sandbox_asks_for = ("bwrap", "socat")

    def words(self, prompt, servers, address, sandboxed):
        tools = ["Bash", "Write", "Edit", "Read", "Skill", "mcp__memlatch", *(f"mcp__{name}" for name in servers)]
        config = {"mcpServers": {name: {"command": words[0], "args": words[1:]} for name, words in servers.items()}}
        more = ["--mcp-config", json.dumps(config)] if servers else []
        if sandboxed:
            more += ["--settings", json.dumps({"sandbox": {"enabled": True}})]
        return ["-p", prompt, "--allowedTools", ",".join(tools), *more]

    def variables(self, home, servers, address):
        return {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": MODEL, "DISABLE_AUTOUPDATER": "1",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

    def shell(self, line):
        return "Bash", {"command": line, "description": "a step"}

    def write(self, path, content):
        return "Write", {"file_path": str(path), "content": content}

    def read(self, path):
        return "Read", {"file_path": str(path)}

    def skill(self, name):
        return "Skill", {"skill": name}

    def tool(self, server, name, given):
        return f"mcp__{server}__{name}", given


class Codex(Client):
    name, package, version = "codex", "@openai/codex", "0.171.0"
    program = "@openai/codex-linux-*/vendor/*/bin/codex"
    title, command, skills = "Codex", "codex", ".codex/skills"
    writers = ("exec_command", "apply_patch")

    def words(self, prompt, servers, address, sandboxed):
        settings = {
            "model": '"gpt-5.5"',  # apply_patch is offered to models that it knows
            "model_provider": f'"{MODEL}"',
            f"model_providers.{MODEL}": f'{{name="{MODEL}", base_url="{address}/v1", wire_api="responses", env_key="API_KEY"}}',
        }
        for name, words in servers.items():
            # A required server is waited for; others are not there yet at the first call, if they start slowly.
            settings[f"mcp_servers.{name}"] = (f"{{required=true, command={json.dumps(words[0])}, args={json.dumps(words[1:])}, "
                                               'default_tools_approval_mode="approve"}')
        given = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        # A hook runs only if the user has trusted it in the terminal interface, which is not possible here.
        given += ["--skip-git-repo-check", "--dangerously-bypass-hook-trust"]
        return ["exec", *given, "--sandbox", "workspace-write" if sandboxed else "danger-full-access", prompt]

    def variables(self, home, servers, address):
        return {"API_KEY": MODEL}

    def shell(self, line):
        return "exec_command", {"cmd": line, "yield_time_ms": 30000}

    def write(self, path, content):
        lines = "".join(f"+{line}\n" for line in content.splitlines())
        return "apply_patch", f"*** Begin Patch\n*** Delete File: {path}\n*** End Patch\n" if not lines else (
            f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n")

    def read(self, path):
        return self.shell(f"cat {path}")

    def tool(self, server, name, given):
        return f"mcp__{server}/{name}", given


class Gemini(Client):
    name, package, version = "gemini-cli", "@google/gemini-cli", "0.61.0"
    program = ".bin/gemini"
    title, command, skills = "Gemini CLI", "gemini", ".gemini/skills"
    writers = ("run_shell_command", "write_file")
    asks_for = ("node",)
    sandbox = "its sandbox is a container"

    def words(self, prompt, servers, address, sandboxed):
        return ["--yolo", "-p", prompt]

    def variables(self, home, servers, address):
        settings = {
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "model": {"name": "gemini-2.5-flash"},
            "mcpServers": {name: {"command": words[0], "args": words[1:]} for name, words in servers.items()},
        }
        if not servers:
            del settings["mcpServers"]
        file = home / "system-settings.json"
        file.write_text(json.dumps(settings))
        return {"GEMINI_API_KEY": MODEL, "GOOGLE_GEMINI_BASE_URL": address, "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(file)}

    def shell(self, line):
        return "run_shell_command", {"command": line, "description": "a step"}

    def write(self, path, content):
        return "write_file", {"file_path": str(path), "content": content}

    def read(self, path):
        return "read_file", {"file_path": str(path)}

    def skill(self, name):
        return "activate_skill", {"name": name}

    def tool(self, server, name, given):
        return f"mcp_{server}_{name}", given


class Opencode(Client):
    name, package, version = "opencode", "opencode-ai", "1.18.33"
    program = "opencode-linux-*/bin/opencode"
    title, command, skills = "opencode", "opencode", ".claude/skills"
    writers = ("bash", "write")
    asks_for = ("rg",)  # it would download it, for its skills
    sandbox = "it has none"

    def words(self, prompt, servers, address, sandboxed):
        return ["run", prompt]

    def variables(self, home, servers, address):
        options = {"baseURL": f"{address}/v1", "apiKey": MODEL}
        config = {
            "model": f"{MODEL}/{MODEL}",
            "provider": {MODEL: {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {MODEL: {"name": MODEL}}}},
            "mcp": {name: {"type": "local", "command": words} for name, words in servers.items()},
        }
        # With a plugin it looks for its own npm package, several times if there is no network.
        return {"OPENCODE_CONFIG_CONTENT": json.dumps(config), "OPENCODE_DISABLE_AUTOUPDATE": "1", "npm_config_fetch_retries": "0",
                "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}

    def shell(self, line):
        return "bash", {"command": line, "description": "a step"}

    def write(self, path, content):
        return "write", {"filePath": str(path), "content": content}

    def read(self, path):
        return "read", {"filePath": str(path)}

    def skill(self, name):
        return "skill", {"name": name}

    def tool(self, server, name, given):
        return f"{server}_{name}", given


ALL = [Claude, Codex, Gemini, Opencode]
