import { createHmac } from 'node:crypto';
import type { ClientBase } from 'pg';

/*
 * Alerts to webhooks: POST of a JSON body, signed as
 *
 *   x-millrace-signature: t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<t>.<body>" by the secret>
 *
 * so that a receiver knows who sent it, that nothing was changed, and how old it is. The id in
 * x-millrace-delivery is the same in each attempt: what was received twice can be told.
 */

/** How long a receiver may take, in milliseconds. */
const TIMEOUT = 10_000;

type WithClient = <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;

interface DeliveryRequest {
  url: string;
  secret: string;
  body: Record<string, unknown>;
}

/**
 * Makes one attempt at a delivery and notes how it ended. Nothing is sent for one that was delivered
 * before, or whose webhook is gone. No connection to the database is held while the receiver answers.
 *
 * @param isLast whether there will be no other attempt: then the delivery is dead.
 * @throws when the attempt failed, so that the job is tried again.
 */
export async function deliverAlert(
  withClient: WithClient,
  delivery: number,
  isLast: boolean,
  { timeout = TIMEOUT }: { timeout?: number } = {},
): Promise<void> {
  const request = await withClient(async (client) => {
    const { rows } = await client.query<DeliveryRequest>(
      'select * from app_private.delivery_request($1)',
      [delivery],
    );
    return rows[0];
  });
  if (request === undefined) return;
  const { status, error } = await post(delivery, request, timeout);
  await withClient((client) =>
    client.query('select app_private.record_attempt($1, $2, $3, $4)', [
      delivery,
      status,
      error,
      isLast,
    ]),
  );
  if (error !== null) throw new Error(`Alert delivery ${delivery}: ${error}`);
}

/** The signature of a body at a time, as the header has it. */
export function signature(secret: string, seconds: number, body: string): string {
  const hash = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${hash}`;
}

async function post(
  delivery: number,
  { url, secret, body }: DeliveryRequest,
  timeout: number,
): Promise<{ status: number | null; error: string | null }> {
  const text = JSON.stringify(body);
  const seconds = Math.floor(Date.now() / 1_000);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'millrace',
        'x-millrace-delivery': String(delivery),
        'x-millrace-signature': signature(secret, seconds, text),
      },
      body: text,
      // A receiver that sends elsewhere is to be changed here: the secret is for this address.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
    });
    await response.body?.cancel();
    const { status } = response;
    return { status, error: response.ok ? null : `the receiver answered ${status}` };
  } catch (error) {
    const { name, message, cause } = error as Error;
    const reason =
      name === 'TimeoutError'
        ? `no answer in ${timeout / 1_000} s`
        : ((cause as NodeJS.ErrnoException | undefined)?.code ?? message);
    return { status: null, error: reason };
  }
}
