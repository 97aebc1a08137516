import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { ANNOUNCEMENTS } from '../lib/announcements.ts';

/*
 * A TCP proxy that understands enough of Postgres's protocol to count what a client sends: the
 * statements, and the round trips, which are the times that it waits for the server before it sends
 * more. It counts bytes on the wire, so no layer of the client can hide anything from it. It can
 * also be as slow as a network between two places.
 */

export interface WireCounts {
  /** Statements executed: Execute and simple Query messages. */
  statements: number;
  /** Statements parsed: a prepared one is executed without. */
  parses: number;
  /** Turns: something sent after something was received. */
  roundTrips: number;
  /** SQL text of the statements, in order. */
  texts: string[];
}

export interface WireProxy {
  /** The connection string with the proxy in place of the server. */
  connectionString: string;
  /** From now on a round trip takes so many milliseconds more, half of them in each direction. */
  setDelay(milliseconds: number): void;
  /** What happened since the last reset, start-up of connections not counted. */
  counts(): WireCounts;
  reset(): void;
  /** Cuts all connections and refuses new ones. */
  close(): Promise<void>;
}

/**
 * Starts a proxy in front of the server of a connection string. Connections whose application name
 * is in `uncounted` are passed on and not counted: they belong to no request.
 */
export async function startWireProxy(
  target: string,
  { uncounted = [ANNOUNCEMENTS] }: { uncounted?: readonly string[] } = {},
): Promise<WireProxy> {
  const url = new URL(target);
  let counts = zero();
  let delay = 0;
  // Timers of the same delay end in the order in which they began: nothing overtakes.
  const forward = (to: Socket, chunk: Buffer) => {
    if (delay === 0) to.write(chunk);
    else setTimeout(() => to.write(chunk), delay / 2);
  };
  const sockets = new Set<Socket>();

  const proxy = createServer((client) => {
    const server = connect(Number(url.port), url.hostname);
    sockets.add(client).add(server);
    const reader = frontendReader({
      isCounted: (parameters) => {
        const name = parameters[parameters.indexOf('application_name') + 1];
        return name === undefined || !uncounted.includes(name);
      },
      parse(name, text) {
        counts.parses += 1;
        texts.set(name, text);
      },
      bind: (name) => {
        bound = texts.get(name) ?? '(unknown)';
      },
      execute: () => {
        counts.statements += 1;
        counts.texts.push(bound);
      },
      query(text) {
        counts.statements += 1;
        counts.texts.push(text);
      },
    });
    const texts = new Map<string, string>();
    let bound = '';
    // Becomes true with every answer: the next thing sent opens another round trip.
    let answered = true;
    // Small packets must not wait for each other.
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on('data', (chunk) => {
      if (reader.read(chunk) && answered) counts.roundTrips += 1;
      answered = false;
      forward(server, chunk);
    });
    server.on('data', (chunk) => {
      answered = true;
      forward(client, chunk);
    });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => {
        // Behind what was received before.
        if (delay === 0) to.destroy();
        else setTimeout(() => to.destroy(), delay / 2);
        sockets.delete(from);
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));

  const here = new URL(target);
  here.hostname = '127.0.0.1';
  here.port = String((proxy.address() as AddressInfo).port);
  return {
    connectionString: here.href,
    setDelay(milliseconds) {
      delay = milliseconds;
    },
    counts: () => counts,
    reset() {
      counts = zero();
    },
    async close() {
      const closed = new Promise<void>((resolve) => proxy.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function zero(): WireCounts {
  return { statements: 0, parses: 0, roundTrips: 0, texts: [] };
}

interface FrontendEvents {
  /** Names and values of the start-up: whether to tell what this connection sends. */
  isCounted(parameters: string[]): boolean;
  parse(name: string, text: string): void;
  bind(name: string): void;
  execute(): void;
  query(text: string): void;
}

/** Splits what a client sends into messages. */
function frontendReader(events: FrontendEvents) {
  let rest = Buffer.alloc(0);
  let startup = true;
  let isCounted = true;
  return {
    /** Whether the chunk belongs to statements (and not to the start-up). */
    read(chunk: Buffer): boolean {
      if (!isCounted) return false;
      let seen = !startup;
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        // The start-up packet has a length and no type; so have requests for TLS before it.
        const header = startup ? 0 : 1;
        if (rest.length < header + 4) return seen;
        const length = header + rest.readInt32BE(header);
        if (rest.length < length) return seen;
        const body = rest.subarray(header + 4, length);
        const type = startup ? '' : String.fromCharCode(rest[0]!);
        rest = rest.subarray(length);
        if (startup) {
          startup = body.readInt32BE(0) !== 196_608;
          isCounted = startup || events.isCounted(body.subarray(4).toString('utf8').split('\0'));
          if (!isCounted) return false;
          continue;
        }
        // Answers of the authentication still belong to the start-up.
        if (type === 'p') {
          seen = false;
          continue;
        }
        seen = true;
        const strings = body.toString('utf8').split('\0');
        if (type === 'P') events.parse(strings[0]!, strings[1]!);
        else if (type === 'B') events.bind(strings[1]!);
        else if (type === 'E') events.execute();
        else if (type === 'Q') events.query(strings[0]!);
      }
    },
  };
}
