import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameWatcher } from '../../scripts/lib/socket-limit.ts';
import { startTestApi, type TestApi } from '../api/test-api.ts';

const LIMIT = 70_000;

/** A frame as a client sends it. */
function frame(length: number, { fin = true, opcode = 1 } = {}): Buffer {
  const short = length < 126 ? length : length < 65_536 ? 126 : 127;
  const header = Buffer.from([(fin ? 0x80 : 0) | opcode, 0x80 | short]);
  const long = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0);
  if (short === 126) long.writeUInt16BE(length);
  if (short === 127) long.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([header, long, Buffer.from([1, 2, 3, 4]), Buffer.alloc(length, 0xff)]);
}

/** Whether all passes, cut into pieces at these places. */
function passes(bytes: Buffer, cuts: number[]): boolean {
  const watch = frameWatcher(LIMIT);
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  let from = 0;
  return places.every((to) => {
    const chunk = bytes.subarray(from, to);
    from = to;
    return watch(chunk);
  });
}

test('messages up to the limit pass, longer ones do not, however they are cut', () => {
  const parts = fc.array(fc.integer({ min: 0, max: LIMIT }), { minLength: 1, maxLength: 4 });
  const messages = fc.array(parts, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 12 }), (all, cuts) => {
      const frames = all.flatMap((message) =>
        message.flatMap((length, index) => [
          frame(length, {
            fin: index === message.length - 1,
            opcode: index === 0 ? 1 : 0,
          }),
          // A ping may come between the frames of a message, and is none of it.
          frame(20, { opcode: 9 }),
        ]),
      );
      const isRight = all.every((message) => message.reduce((a, b) => a + b) <= LIMIT);
      expect(passes(Buffer.concat(frames), cuts)).toBe(isRight);
    }),
    { seed: 7, numRuns: 300 },
  );
});

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

test('a socket that sends too much is cut off, one that sends enough is served', async () => {
  const connect = async () => {
    const url = `${api.server.url.replace('http', 'ws')}/graphql`;
    const socket = new WebSocket(url, 'graphql-transport-ws');
    await once(socket, 'open');
    return socket;
  };
  const good = await connect();
  good.send(JSON.stringify({ type: 'connection_init', payload: { text: 'x'.repeat(900_000) } }));
  const [message] = await once(good, 'message');
  expect(JSON.parse(message.data)).toMatchObject({ type: 'connection_ack' });
  good.close();

  const bad = await connect();
  bad.send(JSON.stringify({ type: 'connection_init', payload: { text: 'x'.repeat(1_100_000) } }));
  const [closed] = await once(bad, 'close');
  expect(closed.code).toBe(1006);
});
