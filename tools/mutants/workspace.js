// A second checkout to change files in: the repository's last commit, with the same installed dependencies.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * @param {string} root the repository
 * @returns {{ directory: string, remove: () => void }}
 */
export function makeWorkspace(root) {
  const directory = join(mkdtempSync(join(tmpdir(), "heed-mutants-")), "heed");
  execFileSync("git", ["worktree", "add", "--detach", "--quiet", directory], { cwd: root });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  for (const parent of ["packages", "apps", "examples", "templates"]) {
    for (const name of readdirSync(join(directory, parent))) {
      for (const folder of ["node_modules", "dist", "src/generated"]) {
        const from = join(root, parent, name, folder);
        const to = join(directory, parent, name, folder);
        // Links to other packages are relative: they lead to those of the new checkout.
        if (existsSync(from)) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
      }
    }
  }
  const remove = () => {
    execFileSync("git", ["worktree", "remove", "--force", directory], { cwd: root });
    rmSync(join(directory, ".."), { recursive: true, force: true });
  };
  return { directory, remove };
}
