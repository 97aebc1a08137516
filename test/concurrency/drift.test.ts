import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GATE, type Stage, VOTES, withStage } from './lib/stage.ts';
import { createWorlds, type Worlds } from './lib/worlds.ts';

/*
 * Drift that something outside of the engine makes: reconcile finds it, names its cause and repairs
 * it exactly, while rows are pending and a writer has not committed. A report changes nothing.
 */

interface Injection {
  name: string;
  inject(stage: Stage): Promise<void>;
  /** A derivation that drifts. */
  drifts: string;
  /** By how much, summed over its keys. */
  by: string;
  cause: RegExp;
  /** Puts back what stays broken after a repair. */
  heal?(stage: Stage): Promise<void>;
  /** Needs a login that may set session_replication_role. */
  superuser?: boolean;
}

const VOTE_COUNT = 'app_public.conversation.vote_count';
const AGREE_COUNT = 'app_public.opinion.agree_count';

const INJECTIONS: Injection[] = [
  {
    name: 'truncate with the triggers off',
    async inject(stage) {
      await stage.query('alter table app_public.opinion_vote disable trigger user');
      await stage.query('truncate app_public.opinion_vote');
      await stage.query('alter table app_public.opinion_vote enable trigger user');
    },
    drifts: VOTE_COUNT,
    // 36 opinions with 10 votes each, and one vote more; a truncate waits for the open writer.
    by: '361',
    cause: /triggers off/,
  },
  {
    name: 'a trigger that is still off',
    async inject(stage) {
      await stage.query('alter table app_public.opinion_vote disable trigger _900_millrace_delete');
      await stage.query('delete from app_public.opinion_vote where voter_id = 2');
    },
    drifts: VOTE_COUNT,
    by: '36',
    cause: /trigger _900_millrace_delete of app_public\.opinion_vote is disabled/,
    async heal(stage) {
      await stage.query('alter table app_public.opinion_vote enable trigger user');
    },
  },
  {
    name: 'a trigger that is gone',
    async inject(stage) {
      await stage.query('drop trigger _900_millrace_update on app_public.opinion_vote');
      await stage.query(
        'update app_public.opinion_vote set cancelled_at = now() where voter_id in (3, 4)',
      );
    },
    drifts: VOTE_COUNT,
    by: '72',
    cause: /trigger _900_millrace_update of app_public\.opinion_vote is missing/,
    async heal(stage) {
      await stage.query("select millrace.refresh_log('app_public.opinion_vote')");
    },
  },
  {
    name: 'a derived column written directly',
    async inject(stage) {
      await stage.query(
        'update app_public.opinion set agree_count = agree_count + id % 2 where id < 9',
      );
    },
    drifts: AGREE_COUNT,
    by: '4',
    cause: /agree_count was written directly by \S+ at /,
  },
  {
    name: 'session_replication_role = replica',
    superuser: true,
    async inject(stage) {
      await stage.query('set role none');
      await stage.query('set session_replication_role = replica');
      await stage.query("update app_public.opinion set moderation = 'hidden' where id = 1");
      await stage.query('delete from app_public.opinion_vote where voter_id = 7');
      await stage.query('reset session_replication_role');
      await stage.query('set role app_owner');
    },
    drifts: VOTE_COUNT,
    by: '45',
    cause: /session_replication_role/,
  },
  {
    name: 'a partition written and truncated directly',
    async inject(stage) {
      await stage.query('truncate proof.event_click');
      await stage.query('update proof.event_view set weight = 3');
    },
    drifts: 'proof.shop.event_weight',
    by: '6',
    cause: /a partition of proof\.event was written, truncated, attached or detached directly/,
  },
  {
    name: 'a partition detached',
    async inject(stage) {
      await stage.query('alter table proof.event detach partition proof.event_view');
    },
    drifts: 'proof.shop.event_weight',
    by: '6',
    cause: /detached directly/,
  },
];

let worlds: Worlds;
let isSuperuser = false;

beforeAll(async () => {
  worlds = await createWorlds(async (client) => {
    await client.query(GATE);
    await client.query(VOTES);
    await client.query(`insert into proof.event (kind, region, code, weight)
      select k, s.region, s.code, 1 from proof.shop s, unnest('{view,click}'::text[]) k`);
    const { rows } = await client.query<{ superuser: boolean }>(
      'select rolsuper as superuser from pg_roles where rolname = session_user',
    );
    isSuperuser = rows[0]!.superuser;
  });
}, 120_000);

afterAll(async () => {
  await worlds.drop();
});

function onStage(work: (stage: Stage) => Promise<void>): Promise<string[]> {
  return worlds.with((connectionString) => withStage(connectionString, work));
}

describe('drift', () => {
  test.for(INJECTIONS)('$name', { timeout: 120_000 }, async (injection, { skip }) => {
    skip(injection.superuser === true && !isSuperuser, 'the login is no superuser');
    const faults = await onStage(async (stage) => {
      await stage.query(`insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
        values (4, 2, 20, 'agree')`);
      await injection.inject(stage);
      const writer = await stage.actor();
      await writer.query('begin');
      await writer.query(`insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
        values (6, 1, 21, 'agree')`);

      const { rows: react } = await stage.query(
        "select d.name from millrace.derivation d where d.kind = 'react'",
      );
      const reactions = new Set(react.map(({ name }) => name));
      const reconcile = async (repair: boolean) => {
        const { rows } = await stage.query(`select * from millrace.reconcile(repair => ${repair})`);
        // Of a reaction it reports triggers that are off or gone, until they are back.
        return rows.filter((row) => row.keys_drifted !== '0' && !reactions.has(row.name));
      };
      for (const repair of [false, true]) {
        const found = await reconcile(repair);
        const row = found.find(({ name }) => name === injection.drifts);
        expect(row, `${injection.drifts} drifts`).toMatchObject({
          repaired: repair,
          drift: injection.by,
        });
        expect(row.cause).toMatch(injection.cause);
        expect(row.examples[0]).toHaveProperty('truth');
      }
      expect(await reconcile(false)).toEqual([]);
      const { rows: log } = await stage.query(
        `select repaired from millrace.drift_log where name = '${injection.drifts}' order by id`,
      );
      expect(log).toEqual([{ repaired: false }, { repaired: true }]);
      await stage.check('repaired, with a writer that has not committed');
      await writer.query('commit');
      await stage.check('after that writer');
      await injection.heal?.(stage);
      await stage.settle({ drifts: true });
    });
    expect(faults).toEqual([]);
  });

  test('none: a reconcile that repairs changes nothing, however often and whatever is pending', async () => {
    const faults = await onStage(async (stage) => {
      for (let round = 0; round < 5; round += 1) {
        await stage.query(`insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
          values (${3 + round}, ${((3 + round) % 3) + 1}, 30, 'agree')`);
        const { rows } = await stage.query('select * from millrace.reconcile(repair => true)');
        expect(rows.filter((row) => row.keys_drifted !== '0')).toEqual([]);
        await stage.check(`after reconcile ${round}`);
      }
      await stage.settle();
    });
    expect(faults).toEqual([]);
  });
});

test('the oracle finds a stored value that is one off', async () => {
  const faults = await onStage(async (stage) => {
    await stage.query(
      'update app_public.conversation set vote_count = vote_count + 1 where id = 2',
    );
    await stage.settle();
  });
  expect(faults.join('\n')).toMatch(
    /app_public\.conversation\.vote_count of \[2\] is 121, recount 120/,
  );
  expect(faults.join('\n')).toMatch(
    /the stored app_public\.conversation\.vote_count is not the recount/,
  );
  expect(faults.join('\n')).toMatch(/reconcile finds drift 1 in 1 keys/);
});

test('the oracle finds a member that is missing', async () => {
  const faults = await onStage(async (stage) => {
    await stage.query(`delete from millrace_log.app_public__conversation__participant_count__members
      where id = 1 and member_1 = 3`);
    await stage.settle();
  });
  expect(faults.join('\n')).toMatch(/the members of app_public\.conversation\.participant_count/);
});
