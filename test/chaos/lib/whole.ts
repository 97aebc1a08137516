import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { compareLive, keptByKey, settle, whatWaits } from '../../concurrency/lib/oracle.ts';
import { isDisconnect } from '../../concurrency/lib/session.ts';
import { WORLD } from '../../concurrency/lib/world.ts';

/*
 * What must hold after everything: nothing is stuck, nothing is lost, everything derived equals what
 * it is derived from.
 */

/** Waits until nothing waits any more, without helping: the host that runs has to do it. */
export async function untilQuiet(connectionString: string, timeout = 60_000): Promise<void> {
  const deadline = performance.now() + timeout;
  let left: string[] = ['nobody has looked'];
  while (performance.now() < deadline) {
    try {
      left = await withOwnerClient(connectionString, async (client) => {
        for (;;) {
          const found = await whatWaits(client);
          if (found.length === 0 || performance.now() >= deadline) return found;
          await pause(50);
        }
      });
      if (left.length === 0) return;
    } catch (error) {
      if (!isDisconnect(error) && (error as { code?: string }).code !== '53300') throw error;
      await pause(50);
    }
  }
  throw new Error(`does not come to rest in ${timeout} ms:\n${left.join('\n')}`);
}

/**
 * Faults of a world that has come to rest: exact and live reads, stored values and rows, what the
 * reactions' tasks noted, drift that reconcile found or finds.
 */
export async function faultsOf(connectionString: string): Promise<string[]> {
  return await withOwnerClient(connectionString, async (client) => {
    const live = await compareLive(client, await keptByKey(client));
    const { faults } = await settle(client, WORLD);
    return [...live.faults, ...faults];
  });
}

export async function withOwnerClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, options: '-c role=app_owner' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
