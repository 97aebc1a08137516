import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { importPolis } from '../../scripts/lib/polis-import.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  countsOf,
  expectCounters,
  newFolder,
  readCounters,
  readFolder,
  removeFolders,
} from './polis-export.ts';

/*
 * Real conversations, published by the Computational Democracy Project (CC BY 4.0). They are not
 * part of this repository: MILLRACE_POLIS_DATA names a folder with one folder for each, holding
 * `originals.tar.gz`; by default it is looked for beside the checkout. Numbers known of them are
 * asserted; what their statements say is not repeated here.
 */
const DATA = resolve(ROOT, process.env.MILLRACE_POLIS_DATA || '../shared/data/polis');

const KNOWN = [
  { name: '15-per-hour-seattle', participants: 339, opinions: 54, votes: 2_872 },
  { name: 'scoop-hivemind.taxes', participants: 334, opinions: 148, votes: 17_335 },
  { name: 'vtaiwan.uberx', participants: 1_921, opinions: 197, votes: 49_443 },
];

describe.skipIf(!existsSync(DATA))('real conversations', () => {
  let db: TestDatabase;
  const imported = new Map<string, number>();

  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(async () => {
    await db?.drop();
    await removeFolders();
  });

  async function counted(name: string) {
    const folder = join(await newFolder(), name);
    await mkdir(folder);
    await extract({ file: join(DATA, name, 'originals.tar.gz'), cwd: folder });
    const { statements, votes } = await readFolder(folder);
    return { folder, statements, votes, counts: countsOf(statements, votes) };
  }

  it.each(KNOWN)('$name: every counter as counted from the CSV', async ({ name, ...known }) => {
    const { counts, statements } = await counted(name);
    const archive = join(DATA, name, 'originals.tar.gz');
    const { seconds, conversationId, ...numbers } = await importPolis(db.connectionString, archive);
    imported.set(name, conversationId);
    expect(numbers).toEqual(known);
    expect(numbers).toEqual({
      participants: counts.participants,
      opinions: statements.length,
      votes: counts.votes,
    });
    expect(seconds).toBeGreaterThan(0);
    await expectCounters(db.pool, conversationId, counts);
  });

  it.each(KNOWN)('$name: the same after a second import, from the folder', async ({ name }) => {
    const { folder, counts } = await counted(name);
    const { conversationId } = await importPolis(db.connectionString, folder);
    expect(conversationId).toBe(imported.get(name));
    await expectCounters(db.pool, conversationId, counts);
    const { rows } = await db.pool.query(
      'select sum(pending_rows)::int as pending from millrace.status',
    );
    expect(rows[0].pending).toBe(0);
  });

  it('all of them at once: the counters of one are not those of another', async () => {
    const names = (await readdir(DATA, { withFileTypes: true })).filter((it) => it.isDirectory());
    expect(names.length).toBeGreaterThanOrEqual(KNOWN.length);
    for (const { name, opinions, votes } of KNOWN) {
      const { exact } = await readCounters(db.pool, imported.get(name) as number);
      expect(exact.conversation).toMatchObject({
        total_opinion_count: opinions,
        total_vote_count: votes,
      });
    }
    const { rows } = await db.pool.query(
      'select name, keys_drifted from millrace.reconcile() where keys_drifted > 0',
    );
    expect(rows).toEqual([]);
  });
});
