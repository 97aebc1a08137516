import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startAnalysisLane } from '../../scripts/lib/analysis-lane.ts';
import { signature } from '../../scripts/lib/webhook.ts';
import { startWorker, type Worker } from '../../scripts/lib/worker.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db.drop();
});

beforeEach(async () => {
  await db.pool.query(`
    truncate app_operator.alert, app_operator.webhook, app_private.host_sample cascade;
    select graphile_worker.complete_jobs(array(select id from graphile_worker.jobs));
    update app_operator.alert_rule set breaches = 0, clears = 0, value = null, is_enabled = true;
  `);
});

/** Evaluates once, with a value of one measure. */
const evaluate = async (measure: string, value: number | null, detail = 'planted') =>
  (
    await db.pool.query<{ rule_name: string; event: string }>(
      'select * from app_private.evaluate_alerts($1)',
      [JSON.stringify({ [measure]: { value, detail } })],
    )
  ).rows.map(({ rule_name, event }) => `${rule_name} ${event}`);

const alerts = async () =>
  (
    await db.pool.query<{
      rule_name: string;
      is_open: boolean;
      value: number;
      worst_value: number;
      detail: string;
    }>(
      `select rule_name, resolved_at is null as is_open, value, worst_value, detail
       from app_operator.alert order by id`,
    )
  ).rows;

describe('a rule', () => {
  test('fires after its streak, once, and is resolved after its streak', async () => {
    // error_rate: above 10 fires at once, up to 5 is clear, three times in a row resolve it
    expect(await evaluate('error_rate', 9)).toEqual([]);
    expect(await evaluate('error_rate', 30)).toEqual(['error_rate firing']);
    expect(await evaluate('error_rate', 50, 'the worst')).toEqual([]);
    expect(await evaluate('error_rate', 20)).toEqual([]);
    expect(await alerts()).toEqual([
      { rule_name: 'error_rate', is_open: true, value: 30, worst_value: 50, detail: 'the worst' },
    ]);
    expect(await evaluate('error_rate', 0)).toEqual([]);
    expect(await evaluate('error_rate', 5)).toEqual([]);
    expect(await evaluate('error_rate', 0)).toEqual(['error_rate resolved']);
    expect(await evaluate('error_rate', 0)).toEqual([]);
    expect((await alerts()).map(({ is_open }) => is_open)).toEqual([false]);
  });

  test('with a longer streak does not fire before it, nor after a clear one in between', async () => {
    // statement_time: three in a row
    for (const value of [150, 150, 70, 150, 150]) {
      expect(await evaluate('statement_p95', value)).toEqual([]);
    }
    expect(await evaluate('statement_p95', 150)).toEqual(['statement_time firing']);
  });

  test('whose value wavers between its thresholds neither resolves nor fires again', async () => {
    await evaluate('error_rate', 30);
    for (const value of [11, 9, 6, 11, 9, 6, 11, 9]) {
      expect(await evaluate('error_rate', value)).toEqual([]);
    }
    expect(await alerts()).toHaveLength(1);
    // What wavers does not break a streak of clear values either: two, a pause, and the third.
    await evaluate('error_rate', 4);
    await evaluate('error_rate', 4);
    expect(await evaluate('error_rate', 8)).toEqual([]);
    expect(await evaluate('error_rate', 4)).toEqual(['error_rate resolved']);
  });

  test('of values below fires below, and keeps the lowest', async () => {
    for (const value of [50, 40]) expect(await evaluate('cache_hit', value)).toEqual([]);
    expect(await evaluate('cache_hit', 30)).toEqual(['cache_hit firing']);
    await evaluate('cache_hit', 20);
    await evaluate('cache_hit', 65);
    expect(await alerts()).toMatchObject([{ is_open: true, value: 30, worst_value: 20 }]);
  });

  test('with nothing to measure is clear', async () => {
    await evaluate('error_rate', 30);
    await evaluate('error_rate', null);
    await evaluate('error_rate', null);
    expect(await evaluate('error_rate', null)).toEqual(['error_rate resolved']);
  });

  test('that is disabled is not evaluated, and its alert is over', async () => {
    await evaluate('error_rate', 30);
    await db.asOperator(
      (client) =>
        client.query(
          "select * from app_operator.set_alert_rule('error_rate', is_enabled => false)",
        ),
      { commit: true },
    );
    expect(await alerts()).toMatchObject([{ is_open: false }]);
    expect(await evaluate('error_rate', 30)).toEqual([]);
    expect(await alerts()).toHaveLength(1);
  });

  test('takes a new threshold from the operator, but none that makes no sense', async () => {
    await db.asOperator(async (client) => {
      const { rows } = await client.query(
        "select * from app_operator.set_alert_rule('error_rate', threshold => 50)",
      );
      expect(rows[0]).toMatchObject({ threshold: 50, clear_threshold: 5, fire_after: 1 });
    });
    const set = (sql: string) =>
      db.asOperator((client) => client.query(`select * from app_operator.set_alert_rule(${sql})`));
    await expectSqlState(set("'error_rate', threshold => 1"), 'OP027');
    await expectSqlState(set("'error_rate', fire_after => 0"), 'OP027');
    await expectSqlState(set("'error_rate', threshold => 'NaN'"), 'OP027');
    await expectSqlState(set("'unknown'"), 'OP026');
  });

  test('is evaluated by one at a time', async () => {
    const client = await db.connect();
    await client.query('begin');
    await client.query("select * from app_private.evaluate_alerts('{}')");
    expect(await evaluate('error_rate', 30)).toEqual([]);
    await client.query('commit');
    expect(await evaluate('error_rate', 30)).toEqual(['error_rate firing']);
  });
});

describe('a measure', () => {
  const measure = async (name: string) => {
    const { rows } = await db.pool.query<{ value: number | null; detail: string | null }>(
      'select value, detail from app_private.measure_alerts() where measure = $1',
      [name],
    );
    expect(rows).toHaveLength(1);
    return rows[0]!;
  };
  const report = (report: Record<string, unknown>) =>
    db.asAnonymous(
      (client) =>
        client.query('select app_hidden.report_host($1)', [
          JSON.stringify({ host: 'one', ...report }),
        ]),
      { commit: true },
    );

  test('exists for every rule', async () => {
    const { rows } = await db.pool.query(
      `select r.name from app_operator.alert_rule r
       where not exists (select from app_private.measure_alerts() m where m.measure = r.measure)`,
    );
    expect(rows).toEqual([]);
  });

  test('error_rate counts all hosts, and needs some requests', async () => {
    await report({ requests: 10, errors: 10 });
    expect((await measure('error_rate')).value).toBeNull();
    await report({ host: 'two', requests: 30, errors: 0 });
    expect(await measure('error_rate')).toEqual({ value: 25, detail: '10 of 40 requests' });
  });

  test('statement_p95 is that of the slowest host', async () => {
    await report({ statements: 100, statementP95: 30 });
    await report({ host: 'slow', statements: 100, statementP95: 130 });
    await report({ host: 'idle', statements: 2, statementP95: 900 });
    expect(await measure('statement_p95')).toEqual({ value: 130, detail: 'slow' });
  });

  test('pool_wait is that of the host that waits most', async () => {
    await report({ poolAcquisitions: 100, poolWaits: 20, poolWaitMax: 70.4 });
    await report({ host: 'two', poolAcquisitions: 10, poolWaits: 10 });
    expect(await measure('pool_wait')).toEqual({
      value: 20,
      detail: 'one: 20 of 100 waited, the longest 70 ms',
    });
  });

  test('cache_hit is that of the last minutes', async () => {
    await db.pool.query(`
      truncate app_private.database_sample;
      insert into app_private.database_sample
      select now() - ago, hit, read, 0, 0, 0, 0, 1
      from (values
        (interval '10 minutes', 0, 0), (interval '5 minutes', 1000000, 50000),
        (interval '1 minute', 1012000, 58000)
      ) v (ago, hit, read)`);
    expect(await measure('cache_hit')).toEqual({ value: 60, detail: '12000 of 20000 blocks' });
    // After a reset the counters are lower: no value, not a wrong one.
    await db.pool.query(
      'insert into app_private.database_sample values (now(), 10, 10, 0, 0, 0, 0, 1)',
    );
    expect((await measure('cache_hit')).value).toBeNull();
  });

  test('drift, failed_derivations and staleness see what the engine has logged', async () => {
    await db.pool.query(`
      insert into millrace.drift_log
        (name, keys_checked, keys_drifted, drift, repaired, cause, examples)
      values ('a.b.c', 10, 3, 5, true, 'a disabled trigger', '[]')`);
    expect(await measure('drift')).toEqual({ value: 3, detail: 'a.b.c: a disabled trigger' });
    await db.pool.query("update millrace.drift_log set found_at = now() - interval '2 hours'");
    expect((await measure('drift')).value).toBe(0);

    const name = 'app_public.conversation.vote_count';
    await db.pool.query(`update millrace.derivation set state = 'failed' where name = '${name}'`);
    expect(await measure('failed_derivations')).toEqual({ value: 1, detail: name });
    await db.pool.query(`update millrace.derivation set state = 'active' where name = '${name}'`);

    expect((await measure('staleness')).value).toBe(0);
    await db.pool.query("insert into app_public.account (display_name) values ('A')");
    const { rows } = await db.pool.query<{ log: string }>(
      "select log::text from millrace.source where relation = 'app_public.account'::regclass",
    );
    await db.pool.query(`update ${rows[0]!.log} set recorded_at = now() - interval '90 seconds'`);
    expect((await measure('staleness')).value).toBeGreaterThanOrEqual(90);
    await db.pool.query('select millrace.drain()');
  });

  test('dead_jobs counts jobs without attempts left', async () => {
    expect((await measure('dead_jobs')).value).toBe(0);
    await db.pool.query(`
      select graphile_worker.add_job('hopeless', max_attempts => 1);
      update graphile_worker._private_jobs set attempts = 1, last_error = 'no'`);
    expect(await measure('dead_jobs')).toEqual({ value: 1, detail: 'hopeless' });
    await db.asOperator(async (client) => {
      const { rows } = await client.query("select * from app_operator.jobs('dead')");
      expect(rows).toMatchObject([{ task: 'hopeless', state: 'dead', last_error: 'no' }]);
    });
  });

  test('default_partition_rows counts rows of default partitions', async () => {
    await db.pool.query(`
      create table app_private.event (at timestamptz) partition by range (at);
      create table app_private.event_default partition of app_private.event default;
      insert into app_private.event select now() from generate_series(1, 3)`);
    expect(await measure('default_partition_rows')).toEqual({
      value: 3,
      detail: 'app_private.event_default',
    });
    await db.pool.query('drop table app_private.event');
    expect((await measure('default_partition_rows')).value).toBe(0);
  });

  test('default_partition_rows leaves alone what a list has no partition for: jobs of pg-boss', async () => {
    const lane = await startAnalysisLane({ connectionString: db.connectionString, keep: 3 });
    try {
      await db.pool.query(`
        insert into pgboss.job (name) select name from pgboss.queue where not partition limit 1`);
      const { rows } = await db.pool.query(`
        select count(*)::int as jobs from pgboss.job j
        join pg_partitioned_table p on p.partdefid = j.tableoid`);
      expect(rows[0].jobs).toBeGreaterThan(0);
      expect(await measure('default_partition_rows')).toEqual({ value: 0, detail: null });
    } finally {
      await lane.stop();
      await db.pool.query('drop schema pgboss cascade');
    }
  });

  test('partitions_ahead is that of the table with the fewest', async () => {
    const before = (await measure('partitions_ahead')).value;
    await db.pool.query(`
      create table app_private.event (id bigint, at timestamptz, primary key (id, at))
        partition by range (at);
      select millrace.partition_by_time('app_private.event', column_name => 'at', premake => 3)`);
    expect((await measure('partitions_ahead')).value).toBe(before ?? 3);
    const { rows } = await db.pool.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits
       where inhparent = 'app_private.event'::regclass order by inhrelid desc limit 2`,
    );
    for (const { name } of rows) await db.pool.query(`drop table ${name}`);
    expect(await measure('partitions_ahead')).toEqual({ value: 1, detail: 'app_private.event' });
    await db.pool.query(`
      select millrace.drop_partitioning('app_private.event'); drop table app_private.event`);
  });

  test('transaction_age sees a transaction that stays open', async () => {
    const client = await db.connect();
    await client.query("set application_name to 'forgotten'; begin; select 1");
    const seen = await measure('transaction_age');
    expect(seen.value).toBeGreaterThan(0);
    expect(seen.detail).toMatch(/forgotten, idle in transaction/);
    await client.query('rollback');
  });

  test('security_findings is what the review of rights finds, until it is put right', async () => {
    await db.pool.query('select app_private.review_security()');
    expect((await measure('security_findings')).value).toBe(0);
    await db.pool.query(`
      grant select on app_private.account_role to public;
      create function app_private.planted() returns int language sql security definer as 'select 1';
      grant execute on function app_private.planted() to public;
      create table app_public.planted (id int primary key)`);
    expect(
      (await db.pool.query('select app_private.review_security() as found')).rows[0].found,
    ).toBe('4');
    expect((await measure('security_findings')).detail?.split('; ').sort()).toEqual([
      'app_private.account_role: everybody may select',
      'app_private.planted(): everybody may execute it',
      'app_private.planted(): security definer with the search path of its caller',
      'app_public.planted: a table of the API without row level security',
    ]);
    await db.pool.query(`
      revoke select on app_private.account_role from public;
      drop function app_private.planted(); drop table app_public.planted;
      select app_private.review_security()`);
    expect((await measure('security_findings')).value).toBe(0);
  });

  test('everything at once runs in the task of every minute', async () => {
    const { rows } = await db.pool.query('select * from app_private.monitor()');
    expect(rows).toEqual([]);
    const { rows: evaluated } = await db.pool.query(
      'select name from app_operator.alert_rule where evaluated_at is null',
    );
    expect(evaluated).toEqual([]);
  });
});

describe('a report of a host', () => {
  test('is for hosts, and bounded', async () => {
    const report = (value: unknown) =>
      db.asAnonymous((client) =>
        client.query('select app_hidden.report_host($1)', [JSON.stringify(value)]),
      );
    await expectSqlState(report({}), 'OP025');
    await expectSqlState(
      db.asAccount(1, (client) => client.query("select app_hidden.report_host('{}')")),
      '42501',
    );
    await db.asAnonymous(
      async (client) => {
        for (let host = 0; host < 100; host += 1) {
          await client.query('select app_hidden.report_host($1)', [
            JSON.stringify({ host: `host ${host}`, requests: -5 }),
          ]);
        }
        await expectSqlState(
          client.query('select app_hidden.report_host($1)', [JSON.stringify({ host: 'more' })]),
          'OP025',
        );
      },
      { commit: false },
    );
  });
});

describe('a webhook', () => {
  interface Received {
    headers: IncomingHttpHeaders;
    body: string;
  }
  let receiver: Server;
  let url: string;
  let received: Received[];
  /** The statuses to answer with, in turn; afterwards 204. */
  let answers: number[];
  let worker: Worker | null = null;

  beforeEach(async () => {
    received = [];
    answers = [];
    receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        received.push({ headers: request.headers, body });
        response.writeHead(answers.shift() ?? 204).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/alerts`;
  });

  afterEach(async () => {
    await worker?.stop();
    worker = null;
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });

  const add = () =>
    db.asOperator(
      async (client) =>
        (
          await client.query<{ id: string; secret: string }>(
            'select * from app_operator.add_webhook($1)',
            [url],
          )
        ).rows[0]!,
      { commit: true },
    );
  const deliveries = async () =>
    (
      await db.pool.query<{
        id: string;
        event: string;
        state: string;
        attempts: number;
        last_status: number | null;
        last_error: string | null;
      }>(
        `select id, event, state, attempts, last_status, last_error
         from app_operator.alert_delivery order by id`,
      )
    ).rows;
  const start = async () => {
    worker = await startWorker({ connectionString: db.connectionString, pollInterval: 20 });
  };
  /** Lets what waits for its next attempt have it now. */
  const hurry = () =>
    db.pool.query(`
      select graphile_worker.reschedule_jobs(array(
        select id from graphile_worker.jobs
        where task_identifier = 'deliver_alert' and locked_at is null and run_at > now()
      ), run_at => now())`);

  test('is told again until it answers, with a signature that its secret verifies', async () => {
    answers = [500, 302];
    const { secret } = await add();
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    await evaluate('error_rate', 30, '30 of 100 requests');
    await start();
    await until(deliveries, (rows) => rows[0]?.attempts === 1);
    expect(await deliveries()).toMatchObject([
      { state: 'pending', last_status: 500, last_error: 'the receiver answered 500' },
    ]);
    const done = await until(
      async () => {
        await hurry();
        return deliveries();
      },
      (rows) => rows[0]?.state === 'delivered',
    );
    expect(done).toMatchObject([
      { event: 'firing', attempts: 3, last_status: 204, last_error: null },
    ]);
    expect(received).toHaveLength(3);
    for (const { headers, body } of received) {
      const [, seconds] = /^t=(\d+),v1=/.exec(String(headers['x-millrace-signature'])) ?? [];
      expect(headers['x-millrace-signature']).toBe(signature(secret, Number(seconds), body));
      expect(headers['x-millrace-delivery']).toBe(done[0]?.id);
      expect(JSON.parse(body)).toMatchObject({
        event: 'firing',
        rule: 'error_rate',
        value: 30,
        threshold: 10,
        detail: '30 of 100 requests',
        resolvedAt: null,
      });
    }
  });

  test('is told of the end, too', async () => {
    await add();
    await evaluate('error_rate', 30);
    for (let round = 0; round < 3; round += 1) await evaluate('error_rate', 1);
    await start();
    await until(deliveries, (rows) => rows.every(({ state }) => state === 'delivered'));
    const bodies = received.map(({ body }) => JSON.parse(body));
    expect(bodies.map(({ event }) => event).sort()).toEqual(['firing', 'resolved']);
    expect(bodies.find(({ event }) => event === 'resolved')).toMatchObject({
      value: 1,
      worstValue: 30,
      resolvedAt: expect.any(String),
    });
  });

  test('that never answers leaves a dead delivery, which the operator may send again', async () => {
    const { id } = await add();
    answers = Array.from({ length: 10 }, () => 503);
    await evaluate('error_rate', 30);
    await start();
    const dead = await until(
      async () => {
        await hurry();
        return deliveries();
      },
      (rows) => rows[0]?.state === 'dead',
    );
    expect(dead).toMatchObject([{ attempts: 10, last_status: 503 }]);
    expect(received).toHaveLength(10);
    await db.asOperator(
      (client) => client.query('select * from app_operator.retry_delivery($1)', [dead[0]!.id]),
      { commit: true },
    );
    await until(deliveries, (rows) => rows[0]?.state === 'delivered');
    expect(received).toHaveLength(11);
    await expectSqlState(
      db.asOperator((client) =>
        client.query('select * from app_operator.retry_delivery($1)', [dead[0]!.id]),
      ),
      'OP031',
    );
    await db.asOperator((client) => client.query('select app_operator.remove_webhook($1)', [id]), {
      commit: true,
    });
    expect(await deliveries()).toEqual([]);
  });

  test('that is not there is a failed attempt, not a failed job queue', async () => {
    await new Promise((resolve) => receiver.close(resolve));
    await add();
    await evaluate('error_rate', 30);
    await start();
    const [first] = await until(deliveries, (rows) => rows[0]?.attempts === 1);
    expect(first).toMatchObject({
      state: 'pending',
      last_status: null,
      last_error: 'ECONNREFUSED',
    });
  });

  test('whose delivery has lost its job is not told for ever', async () => {
    await add();
    await evaluate('error_rate', 30);
    await db.pool.query(`
      select graphile_worker.complete_jobs(array(select id from graphile_worker.jobs));
      update app_operator.alert_delivery set created_at = now() - interval '23 hours'`);
    await db.pool.query('select * from app_private.monitor()');
    expect((await deliveries())[0]).toMatchObject({ state: 'pending' });
    await db.pool.query(
      "update app_operator.alert_delivery set created_at = now() - interval '25 hours'",
    );
    await db.pool.query('select * from app_private.monitor()');
    // The first: what is measured really may fire, too.
    expect((await deliveries())[0]).toMatchObject({ state: 'dead', last_error: 'its job is gone' });
  });

  test('has an address, once, and keeps its secret', async () => {
    await add();
    const call = (text: string) =>
      db.asOperator((client) => client.query('select app_operator.add_webhook($1)', [text]));
    await expectSqlState(call(url), 'OP029');
    await expectSqlState(call('file:///etc/passwd'), 'OP028');
    await expectSqlState(call('http://'), 'OP028');
    await expectSqlState(
      db.asOperator((client) => client.query('select secret from app_operator.webhook')),
      '42501',
    );
    await expectSqlState(
      db.asOperator((client) => client.query('select app_operator.remove_webhook(0)')),
      'OP030',
    );
  });
});
