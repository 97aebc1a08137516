import { log } from './log.ts';

/** Something that was started and has to be stopped. */
export interface Part {
  name: string;
  stop(): Promise<void>;
}

/** Longest a shutdown may take before the process ends anyway, in milliseconds. */
const TIMEOUT = 30_000;

/**
 * Runs a process until SIGINT, SIGTERM or SIGHUP (its terminal is closed), then stops its parts,
 * the last started first. A second signal ends it at once. When starting fails, what was already
 * started is stopped; what starts while the process is being stopped is stopped too. Who stops
 * reading what it prints does not end it: it would die without stopping anything.
 *
 * @param start starts the parts and hands each to `add` as soon as it runs.
 * @throws what `start` throws.
 */
export async function runUntilStopped(
  start: (add: (part: Part) => void) => Promise<void>,
): Promise<number> {
  const parts: Part[] = [];
  let stopping = false;
  const stopped = signalled();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  const started = start((part) => {
    if (stopping) void stop(part);
    else parts.push(part);
  });
  try {
    await Promise.race([started, stopped]);
    await stopped;
  } finally {
    stopping = true;
    const timer = setTimeout(() => {
      log.error('the shutdown takes too long: ending anyway');
      process.exit(1);
    }, TIMEOUT);
    for (const part of parts.reverse()) await stop(part);
    // Whatever it was doing has lost its parts by now; how it fails is of no interest.
    await started.catch(() => undefined);
    clearTimeout(timer);
  }
  return 0;
}

async function stop(part: Part): Promise<void> {
  try {
    await part.stop();
  } catch (error) {
    log.error({ err: error, part: part.name }, 'could not be stopped cleanly');
  }
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(128 + number));
        resolve(signal as NodeJS.Signals);
      });
    }
  });
}
