import { parentPort, workerData } from 'node:worker_threads';
import { build, type Histogram } from 'hdr-histogram-js';
import type pg from 'pg';
import type { LoadCommand, LoadOptions, LoadResult } from './load-types.ts';
import { openWire, type Wire } from './wire.ts';

/*
 * A thread of the load generator: writers that vote, or readers that measure. It has an event loop
 * of its own, so that what it measures does not wait for anything else.
 */

const options = workerData as LoadOptions;
const port = parentPort;
if (port === null) throw new Error('load.ts runs as a worker thread');

const config: pg.ClientConfig = {
  connectionString: options.connectionString,
  options: '-c role=app_owner',
  application_name: options.name,
};

interface Connection {
  wires: Wire[];
  busy: boolean;
  /** Number of the next run on this connection. */
  next: number;
  dueAt: number;
}

const connections: Connection[] = [];
for (let c = 0; c < options.connections; c += 1) {
  const wires = await Promise.all(options.statements.map(({ text }) => openWire(config, text)));
  connections.push({ wires, busy: false, next: 0, dueAt: 0 });
}

port.on('message', async (command: LoadCommand) => {
  if (command === 'close') {
    await Promise.all(connections.flatMap(({ wires }) => wires.map((wire) => wire.close())));
    port.close();
    return;
  }
  port.postMessage(await measure(command));
});
port.postMessage('ready');

/** Runs the statements for a while; what ends inside of the measured window counts. */
async function measure({
  warmUpMs,
  measureMs,
  rate,
}: Exclude<LoadCommand, 'close'>): Promise<LoadResult> {
  const histograms: Histogram[] = options.statements.map(() =>
    build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000 }),
  );
  let committed = 0;
  let failed = 0;
  let firstError: string | null = null;
  const interval = rate === null ? 0 : (1000 * connections.length) / rate;
  const start = performance.now();
  const from = start + warmUpMs;
  const until = from + measureMs;
  const idle = Promise.withResolvers<void>();
  let running = 0;

  function run(connection: Connection, index: number): void {
    const number = connection.next;
    connection.next += 1;
    const which = number % options.statements.length;
    connection.busy = true;
    running += 1;
    const sentAt = performance.now();
    (connection.wires[which] as Wire).run(valuesOf(index, number, which), (error) => {
      const endedAt = performance.now();
      connection.busy = false;
      running -= 1;
      if (error !== null) {
        failed += 1;
        firstError ??= error;
      } else if (endedAt >= from && endedAt < until) {
        committed += 1;
        histograms[which]?.recordValue(Math.round((endedAt - sentAt) * 1000));
      }
      if (endedAt < until && failed < 100) {
        if (rate === null) run(connection, index);
      } else if (running === 0) idle.resolve();
    });
  }

  if (rate === null) {
    connections.forEach((connection, index) => {
      run(connection, index);
    });
  } else {
    connections.forEach((connection, index) => {
      connection.dueAt = start + (interval * index) / connections.length;
    });
    // Every connection has its times, whatever the server does: who is late catches up.
    const timer = setInterval(() => {
      const now = performance.now();
      if (now >= until || failed >= 100) {
        clearInterval(timer);
        if (running === 0) idle.resolve();
        return;
      }
      connections.forEach((connection, index) => {
        if (connection.busy || connection.dueAt > now) return;
        connection.dueAt += interval;
        run(connection, index);
      });
    }, 1);
  }
  await idle.promise;
  return {
    committed,
    failed,
    firstError,
    latencies: options.statements.map(({ name }, which) => {
      const histogram = histograms[which] as Histogram;
      return {
        name,
        samples: histogram.totalCount,
        p50: histogram.getValueAtPercentile(50) / 1000,
        p99: histogram.getValueAtPercentile(99) / 1000,
      };
    }),
  };
}

/**
 * The parameters of run `number` of connection `index`. Votes: each connection is one person after
 * another, who casts `votesPerVoter` votes on different opinions and leaves, so that no vote is
 * cast twice and no two connections are the same person.
 */
function valuesOf(index: number, number: number, which: number): readonly string[] {
  const { votes } = options;
  if (votes === null) return options.statements[which]?.values ?? [];
  const client = options.first + index;
  const person = Math.floor(number / votes.votesPerVoter) * votes.clients + client;
  const opinion = (number * 7 + client * 13) % votes.opinions;
  return [
    String(votes.firstOpinion + opinion),
    String(votes.firstVoter + person),
    String(votes.conversation),
    ['agree', 'disagree', 'pass'][number % 3] as string,
  ];
}
