import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/*
 * Requests that a host sends to its own API, to make a page for somebody: known by a word that is
 * made at the start and leaves the process only to come back to it. They are counted for whom the
 * page is for, and need not be among the registered operations.
 */

const WORD = 'x-millrace-own';
const ADDRESS = 'x-millrace-for';

export interface OwnRequests {
  /** The headers of a request for somebody at this address. */
  headers(address: string): Record<string, string>;
  /** Whom one of our own requests is for, by address; null for a request of anybody else. */
  addressOf(request: Pick<IncomingMessage, 'headers'>): string | null;
}

export function makeOwnRequests(): OwnRequests {
  const word = randomBytes(32).toString('base64url');
  const expected = Buffer.from(word);
  return {
    headers: (address) => ({ [WORD]: word, [ADDRESS]: address }),
    addressOf({ headers }) {
      const sent = Buffer.from(String(headers[WORD] ?? ''));
      const isOwn = sent.length === expected.length && timingSafeEqual(sent, expected);
      return isOwn ? String(headers[ADDRESS] ?? '') : null;
    },
  };
}
