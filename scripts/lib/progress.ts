/*
 * Progress for people, always on standard error so that standard output stays the program's answer.
 */
import { SingleBar } from 'cli-progress';

export interface Progress {
  /** Begins a step; one that was running is finished first. `total` is in the step's own unit. */
  step(label: string, total?: number): void;
  /** How much of the step is done, in its unit; the total when it has changed. */
  update(done: number, total?: number): void;
  /** Prints a line that stays. */
  note(text: string): void;
  /** Finishes the last step. */
  stop(): void;
}

/** No output at all, for callers that are not commands. */
export const silent: Progress = {
  step: () => undefined,
  update: () => undefined,
  note: () => undefined,
  stop: () => undefined,
};

/** A bar on a terminal, elsewhere one line for each finished step. */
export function createProgress(output: NodeJS.WriteStream = process.stderr): Progress {
  return output.isTTY ? barProgress(output) : lineProgress(output);
}

function barProgress(output: NodeJS.WriteStream): Progress {
  let bar: SingleBar | null = null;
  let total = 0;
  const stop = () => {
    bar?.update(total);
    bar?.stop();
    bar = null;
  };
  return {
    step(label, of = 1) {
      stop();
      total = Math.max(of, 1);
      bar = new SingleBar({
        stream: output,
        format: `${label.padEnd(24)} {bar} {percentage} %  {duration_formatted}`,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        hideCursor: true,
        gracefulExit: false,
      });
      bar.start(total, 0);
    },
    update(done, of = total) {
      if (of !== total) {
        total = Math.max(of, 1);
        bar?.setTotal(total);
      }
      bar?.update(Math.min(done, total));
    },
    note(text) {
      stop();
      output.write(`${text}\n`);
    },
    stop,
  };
}

function lineProgress(output: NodeJS.WriteStream): Progress {
  let current: { label: string; started: number } | null = null;
  const stop = () => {
    if (current === null) return;
    const seconds = (performance.now() - current.started) / 1000;
    output.write(`${current.label}: ${seconds.toFixed(1)} s\n`);
    current = null;
  };
  return {
    step(label) {
      stop();
      current = { label, started: performance.now() };
    },
    update: () => undefined,
    note(text) {
      stop();
      output.write(`${text}\n`);
    },
    stop,
  };
}
