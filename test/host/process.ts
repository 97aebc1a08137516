import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../scripts/lib/config.ts';

/** A script of `scripts/`, running. */
export interface ScriptProcess {
  child: ChildProcess;
  /** Everything it has printed so far, both streams. */
  output(): string;
  /** Resolves when the output matches; fails when the process ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code, or the name of the signal that killed it. */
  ended: Promise<number | string>;
}

/** Runs `scripts/<name>.ts` with these variables and nothing of the test run's own settings. */
export function runScript(
  name: string,
  env: Record<string, string>,
  args: string[] = [],
): ScriptProcess {
  const child = spawn(process.execPath, [join(ROOT, 'scripts', `${name}.ts`), ...args], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LANG: process.env.LANG,
      ...env,
    } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let isEnded = false;
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const watcher of watchers) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      changed();
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => {
      isEnded = true;
      changed();
      resolve(code ?? signal ?? 'unknown');
    });
  });
  return {
    child,
    output: () => text,
    ended,
    printed(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(text);
          if (found === null && !isEnded) return;
          watchers.delete(look);
          if (found !== null) resolve(found);
          else reject(new Error(`ended without ${pattern}:\n${text}`));
        };
        watchers.add(look);
        look();
      });
    },
  };
}
