import type { Socket } from 'node:net';
import pg from 'pg';

/*
 * One prepared statement on one connection, run by writing protocol messages directly.
 *
 * A load generator shares the machine with the server that it measures, so what it takes itself hides
 * a part of what is measured. This takes 22–26 µs of processor time for an insert, pgbench 20–23 µs on
 * the same machine; so pgbench, which is not on every machine, is not needed. `pg` opens the connection and authenticates, then its socket is
 * taken over. The protocol: https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

/** Called when the statement has ended: with the server's message if it failed. */
export type Done = (error: string | null) => void;

export interface Wire {
  /** Runs the statement; one at a time. Values are passed as text. */
  run(values: readonly string[], done: Done): void;
  /** Closes the connection. */
  close(): Promise<void>;
}

const STATEMENT = 's';
const READY = 0x5a;
const ERROR = 0x45;

/**
 * Opens a connection and prepares the statement.
 *
 * @throws what `pg` throws when it cannot connect, or an Error with the server's message when the
 * statement cannot be prepared.
 */
export async function openWire(config: pg.ClientConfig, text: string): Promise<Wire> {
  const client = new pg.Client(config);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');

  let done: Done | null = null;
  let failure: string | null = null;
  let closing = false;
  const end = (error: string | null) => {
    const callback = done;
    done = null;
    callback?.(error);
  };
  client.on('error', (error) => end(closing ? null : error.message));
  stream.on(
    'data',
    makeFrameReader((type, payload) => {
      if (type === ERROR) failure = errorMessage(payload());
      else if (type === READY) {
        const error = failure;
        failure = null;
        end(error);
      }
    }),
  );

  await new Promise<void>((resolve, reject) => {
    done = (error) => (error === null ? resolve() : reject(new Error(error)));
    stream.write(
      Buffer.concat([message('P', `${STATEMENT}\0`, `${text}\0`, '\0\0'), message('S')]),
    );
  });

  return {
    run(values, callback) {
      if (done !== null) throw new Error('the statement before has not ended');
      done = callback;
      stream.write(bindAndExecute(values));
    },
    async close() {
      closing = true;
      stream.end(message('X'));
      await new Promise<void>((resolve) => {
        if (stream.closed) resolve();
        else stream.once('close', () => resolve());
      });
    },
  };
}

/** Bind, Execute and Sync of the statement; all parameters and the result as text. */
function bindAndExecute(values: readonly string[]): Buffer {
  let length = 4 + 1 + (STATEMENT.length + 1) + 2 + 2 + 2;
  for (const value of values) length += 4 + Buffer.byteLength(value);
  const buffer = Buffer.allocUnsafe(1 + length + 10 + 5);
  let at = buffer.writeUInt8(0x42, 0);
  at = buffer.writeInt32BE(length, at);
  // the unnamed portal of the statement, every parameter in the default format
  at = buffer.writeUInt8(0, at);
  at += buffer.write(`${STATEMENT}\0`, at);
  at = buffer.writeInt16BE(0, at);
  at = buffer.writeInt16BE(values.length, at);
  for (const value of values) {
    const written = buffer.write(value, at + 4);
    at = buffer.writeInt32BE(written, at) + written;
  }
  at = buffer.writeInt16BE(0, at);
  at = buffer.writeUInt8(0x45, at);
  at = buffer.writeInt32BE(9, at);
  at = buffer.writeUInt8(0, at);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeUInt8(0x53, at);
  buffer.writeInt32BE(4, at);
  return buffer;
}

function message(type: string, ...parts: string[]): Buffer {
  const body = Buffer.from(parts.join(''));
  const buffer = Buffer.allocUnsafe(5 + body.length);
  buffer.write(type, 0, 'latin1');
  buffer.writeInt32BE(4 + body.length, 1);
  body.copy(buffer, 5);
  return buffer;
}

/** Cuts a byte stream into messages: a type byte, a length that includes itself, the payload. */
function makeFrameReader(onMessage: (type: number, payload: () => Buffer) => void) {
  let rest: Buffer | null = null;
  return (chunk: Buffer) => {
    const data = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (data.length - at >= 5) {
      const end = at + 1 + data.readInt32BE(at + 1);
      if (end > data.length) break;
      const start = at + 5;
      onMessage(data[at] as number, () => data.subarray(start, end));
      at = end;
    }
    rest = at === data.length ? null : data.subarray(at);
  };
}

/** SQLSTATE and text of an ErrorResponse: fields of a type byte and a zero-terminated string. */
function errorMessage(payload: Buffer): string {
  const fields = new Map(
    payload
      .toString()
      .split('\0')
      .map((field) => [field[0], field.slice(1)]),
  );
  return `${fields.get('C')}: ${fields.get('M')}`;
}
