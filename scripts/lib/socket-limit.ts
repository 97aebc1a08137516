import type { Duplex } from 'node:stream';

/*
 * The size of what a web socket sends. The server's own limit is 100 MB a message and cannot be set;
 * here the headers of the frames are read as they come, and who announces more than it may is cut
 * off before the rest of it arrives.
 */

/** Bytes of a header with the longest length, without the mask. */
const HEADER_MAX = 10;
const MASK_BYTES = 4;

/**
 * Ends the connection when a message, in one frame or several, has more than so many bytes.
 *
 * @param head what came with the request to upgrade.
 */
export function limitSocket(socket: Duplex, head: Buffer, bytes: number): void {
  const watch = frameWatcher(bytes);
  if (!watch(head)) {
    socket.destroy();
    return;
  }
  socket.on('data', (chunk: Buffer) => {
    if (!watch(chunk)) socket.destroy();
  });
}

/** Takes the bytes as they come; false: a message is too long. */
export function frameWatcher(bytes: number): (chunk: Buffer) => boolean {
  const header = Buffer.alloc(HEADER_MAX);
  let known = 0;
  /** Bytes of the frame under way that are still to come. */
  let left = 0;
  /** Of the message's frames so far. */
  let message = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const skipped = Math.min(left, chunk.length - at);
        left -= skipped;
        at += skipped;
        continue;
      }
      header[known] = chunk[at] as number;
      known += 1;
      at += 1;
      const length = payloadLength(header, known);
      if (length === null) continue;
      const first = header[0] as number;
      const isControl = (first & 0x08) !== 0;
      if (!isControl) {
        message += length;
        if (message > bytes) return false;
        if ((first & 0x80) !== 0) message = 0;
      } else if (length > 125) {
        return false;
      }
      left = length + (((header[1] as number) & 0x80) === 0 ? 0 : MASK_BYTES);
      known = 0;
    }
    return true;
  };
}

/** The length that a frame's header gives; null while it is not complete. */
function payloadLength(header: Buffer, known: number): number | null {
  if (known < 2) return null;
  const short = (header[1] as number) & 0x7f;
  if (short < 126) return short;
  if (short === 126) return known < 4 ? null : header.readUInt16BE(2);
  return known < HEADER_MAX ? null : Number(header.readBigUInt64BE(2));
}
