import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand } from './lib/cli.ts';
import { ROOT } from './lib/config.ts';

/*
 * `npm test`: types, lint, the committed snapshot, and all tests. Arguments go to vitest, and then
 * only the tests run: `npm test -- test/scripts`.
 *
 * Every step runs, so that one run tells everything that is wrong; the exit code is 0 only when all
 * of them passed.
 */

interface Step {
  name: string;
  command: string;
  args: string[];
}

const bin = (name: string) => join(ROOT, 'node_modules/.bin', name);
const script = (name: string) => join(ROOT, 'scripts', name);

await runCommand(async () => {
  const { args } = new Command('test')
    .description('Checks types, style, SQL and the committed snapshot, and runs all tests.')
    .argument('[arguments...]', 'for vitest, and then only the tests run: test/scripts, -t NAME')
    .allowUnknownOption()
    .exitOverride()
    .parse();
  const tests: Step = { name: 'tests', command: bin('vitest'), args: ['run', ...args] };
  const steps: Step[] = [
    { name: 'typecheck', command: bin('tsc'), args: ['--project', 'tsconfig.json'] },
    { name: 'lint', command: process.execPath, args: [script('lint.ts')] },
    { name: 'snapshot', command: process.execPath, args: [script('snapshot.ts'), '--check'] },
    tests,
  ];
  const failed: string[] = [];
  for (const step of args.length > 0 ? [tests] : steps) {
    process.stdout.write(`\n== ${step.name}\n`);
    const started = performance.now();
    const code = await run(step);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`== ${step.name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds} s\n`);
    if (code !== 0) failed.push(step.name);
  }
  if (failed.length > 0) process.stderr.write(`\nfailed: ${failed.join(', ')}\n`);
  return failed.length === 0 ? 0 : 1;
});

/** Runs a step to its end; a signal to this process is passed on by the terminal's group. */
function run({ command, args }: Step): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
}
