// A plugin for opencode, to be put into ~/.config/opencode/plugins: it asks the hook that the other clients run whether a tool
// call writes to a memory file past its lock, and refuses it with what the hook says.
import { spawnSync } from "node:child_process"
import { homedir } from "node:os"
import { join } from "node:path"

const HOOK = join(homedir(), "aiconfig", "hooks", "refuse-raw-writes.sh")
const WRITES = new Set(["bash", "write", "edit", "patch", "apply_patch", "multiedit"])

export const Memlatch = async ({ directory }) => ({
  "tool.execute.before": async (input, output) => {
    if (!WRITES.has(input.tool)) return
    const { command, workdir, filePath, patchText } = output.args
    const event = {
      hook_event_name: "PreToolUse",
      cwd: workdir ?? directory,
      tool_name: patchText ? "apply_patch" : input.tool,
      tool_input: { command: patchText ?? command, file_path: filePath },
    }
    const verdict = spawnSync(HOOK, { input: JSON.stringify(event), encoding: "utf8" })
    if (verdict.status === 2) throw new Error(verdict.stderr)
    if (verdict.status !== 0) console.error(`memlatch: ${HOOK} could not check the call: ${verdict.error ?? verdict.stderr}`)
  },
})
