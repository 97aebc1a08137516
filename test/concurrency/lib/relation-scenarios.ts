import { RELATIONS, sheetCall, sheetDefinition, TASK_LOCK } from './relations.ts';
import { sqlState } from './session.ts';
import type { Actor, Stage } from './stage.ts';
import { shopKey } from './world.ts';

/*
 * The interleavings that break derived relations, refreshed views and reactions, each as a few named
 * steps. Item n begins in shop n modulo 6; what concerns its shop concerns `proof.shop_sheet`.
 */

const SHEET = RELATIONS.filter(({ name }) => name === 'proof.shop_sheet');
const SHEET_WORK = 'millrace_log.proof__shop_sheet__work';

const quantitySql = (item: number, by = 1) =>
  `update proof.item set quantity = quantity + ${by} where id = ${item}`;

let notes = 0;

/** A change that no counter counts: it marks the sheet once, and nothing else comes of it. */
const noteSql = (shop: number) => {
  notes += 1;
  return `update proof.shop set note = 'note ${notes}' where (region, code) = (${shopKey(shop)})`;
};

const sellSql = (item: number, amount = 5, buyer = 'buyer 1') =>
  `insert into proof.sale (item_id, buyer, amount) values (${item}, '${buyer}', ${amount})`;

const moveSql = (item: number, shop: number) =>
  `update proof.item set (region, code) = row (${shopKey(shop)}) where id = ${item}`;

/** The id of a derivation, for calls inside a transaction of one's own. */
const batchSql = (name: string) =>
  `select millrace.recompute_batch(d.id, everything => true) from millrace.derivation d
  where d.name = '${name}'`;

async function jobsOf(stage: Stage, key: string): Promise<string[]> {
  const { rows } = await stage.query(
    `select j.id from graphile_worker.jobs j where j.key like '${key}' order by j.id`,
  );
  return rows.map(({ id }) => id);
}

/** Drains and makes due what the last changes have marked; the tick has not seen it yet. */
async function markAndWait(stage: Stage): Promise<void> {
  await stage.drainAll();
  await stage.letTimePass();
}

export const RELATION_SCENARIOS = {
  'a change of a key while its job computes it': async (stage) => {
    const job = await stage.actor();
    await stage.query(noteSql(1));
    await markAndWait(stage);
    await stage.holdAtGate(job);
    const run = await stage.untilBlocked(job, () => stage.recompute('proof.shop_sheet', job));
    if (!run.waited) stage.faults.push('the job did not come to the gate');
    await stage.query(noteSql(1));
    await stage.live('while the job is held');
    await stage.drainAll();
    await stage.live('while the job is held, drained');
    await stage.openGate();
    await run.done;
    await stage.live('after the job');
    await stage.settle();
  },

  'a change of a key whose job waits for the mark': async (stage) => {
    const job = await stage.actor();
    const holder = await stage.actor();
    await stage.query(noteSql(1));
    await markAndWait(stage);
    await holder.query('begin');
    await holder.query(`select * from ${SHEET_WORK} for update`);
    // It has taken its snapshot, and nothing else.
    const run = await stage.untilBlocked(job, () => stage.recompute('proof.shop_sheet', job));
    if (!run.waited) stage.faults.push('the job does not take the mark');
    await stage.query(noteSql(1));
    await stage.drainAll();
    await holder.query('rollback');
    await run.done;
    await stage.live('after the job');
    await stage.settle();
  },

  'two changes in one drain while a job waits': async (stage) => {
    const job = await stage.actor();
    const drainer = await stage.actor();
    await stage.query(noteSql(1));
    await markAndWait(stage);
    await drainer.query('begin');
    await stage.query(noteSql(1));
    await drainer.query('select millrace.drain()');
    const run = await stage.untilBlocked(job, () => stage.recompute('proof.shop_sheet', job));
    await stage.query(noteSql(1));
    await drainer.query('select millrace.drain()');
    await drainer.query('commit');
    await run.done;
    await stage.live('after the job');
    await stage.settle();
  },

  'a sale that commits after its item has moved': async (stage) => {
    const seller = await stage.actor();
    await seller.query('begin');
    await seller.query(sellSql(1));
    await stage.query(moveSql(1, 2));
    await stage.turn();
    await stage.live('before the sale commits');
    await seller.query('commit');
    await stage.live('after the sale');
    await stage.settle();
  },

  'a move that commits after a sale was made': async (stage) => {
    const mover = await stage.actor();
    await mover.query('begin');
    await mover.query(moveSql(1, 2));
    await stage.query(sellSql(1));
    await stage.turn();
    await stage.live('before the move commits');
    await mover.query('commit');
    await stage.live('after the move');
    await stage.settle();
  },

  'everything of a key goes': async (stage) => {
    await stage.query(sellSql(1));
    await stage.query(sellSql(7, 3, 'buyer 2'));
    await stage.turn();
    await stage.query(`delete from proof.shop where (region, code) = (${shopKey(1)})`);
    await stage.live('the shop is gone');
    await stage.turn();
    await stage.live('and drained');
    await stage.settle();
  },

  'what moves leaves the key where it was': async (stage) => {
    await stage.query(sellSql(1));
    await stage.query(sellSql(2, 3, 'buyer 2'));
    await stage.turn();
    await stage.query(moveSql(1, 3));
    await stage.query(`update proof.sale set buyer = 'buyer 3' where item_id = 2`);
    await stage.live('moved, before a drain');
    await stage.settle();
  },

  'truncated sources': async (stage) => {
    await stage.query(sellSql(1));
    await stage.turn();
    await stage.query('truncate proof.item, proof.sale');
    await stage.live('after the truncate');
    await stage.settle();
  },

  'a column that no key needs': async (stage) => {
    await stage.query(sellSql(1));
    await stage.turn();
    await stage.query(`update proof.shop set note = 'new' where (region, code) = (${shopKey(1)})`);
    await stage.live('before a drain');
    await stage.settle();
  },

  'what reads a refreshed relation follows it': async (stage) => {
    await stage.query(sellSql(1));
    await stage.turn();
    await stage.turn();
    await stage.query(sellSql(2, 70));
    await stage.settle();
  },

  'a paused relation and one that is resumed': async (stage) => {
    await stage.query(`select millrace.pause('proof.shop_sheet')`);
    await stage.query(quantitySql(1));
    await stage.drainAll();
    await stage.live('while paused', SHEET);
    await stage.query(`select millrace.resume('proof.shop_sheet')`);
    await stage.query(quantitySql(2));
    await stage.live('resumed', SHEET);
    await stage.settle();
  },

  'a paused reaction and one that is resumed': async (stage) => {
    await stage.query(`select millrace.pause('proof_item_sold')`);
    await stage.query(sellSql(1));
    await stage.turn();
    await stage.query(`select millrace.resume('proof_item_sold')`);
    await stage.settle();
  },

  'a refresh overtaken by a newer one': async (stage) => {
    const login = await stage.login();
    const first = await stage.actor();
    const second = await stage.actor();
    // A statement has its snapshot before the trigger fires, and asks for its lock after it.
    await login.query(`create event trigger proof_gate on ddl_command_start
      when tag in ('REFRESH MATERIALIZED VIEW') execute function proof.wait_at_command()`);
    // The first has nothing to take, so neither waits for the other's marks.
    await stage.holdAtGate(first);
    const one = await stage.untilBlocked(first, () => stage.recompute('proof.shop_view', first));
    if (!one.waited) stage.faults.push('the refresh did not come to the gate');
    await stage.query(quantitySql(2));
    await stage.drainAll();
    await stage.recompute('proof.shop_view', second);
    await stage.openGate();
    await one.done;
    await login.query('drop event trigger proof_gate');
    await stage.settle();
  },

  'a refresh with a snapshot older than another': async (stage) => {
    const old = await stage.actor();
    await old.query('begin isolation level repeatable read');
    await old.query('select 1 from proof.shop');
    await stage.query(quantitySql(2));
    await markAndWait(stage);
    await stage.recompute('proof.shop_view');
    await finishOrGiveUp(old, () => old.query(batchSql('proof.shop_view')));
    await stage.settle();
  },

  'a run with a snapshot older than another': async (stage) => {
    const old = await stage.actor();
    await stage.query(quantitySql(1));
    await markAndWait(stage);
    await old.query('begin isolation level repeatable read');
    await old.query('select 1 from proof.shop');
    await stage.query(quantitySql(1));
    await markAndWait(stage);
    await stage.recompute('proof.shop_sheet');
    await finishOrGiveUp(old, () => old.query(batchSql('proof.shop_sheet')));
    await stage.live('after both');
    await stage.settle();
  },

  'a repair beside a run': async (stage) => {
    const job = await stage.actor();
    const reconciler = await stage.actor();
    await stage.query(`update proof.shop_sheet set stock = stock + 100
      where (region, code) = (${shopKey(1)})`);
    await job.query('begin');
    await job.query(
      `select from proof.shop_sheet where (region, code) = (${shopKey(1)}) for update`,
    );
    // It has read what the row has to be, and waits for the row.
    const repair = await stage.untilBlocked(reconciler, () =>
      reconciler.query(`select * from millrace.reconcile('proof.shop_sheet', true)`),
    );
    if (!repair.waited) stage.faults.push('the repair does not write the row');
    await stage.query(quantitySql(1));
    await stage.drainAll();
    await job.query(batchSql('proof.shop_sheet'));
    await job.query('commit');
    await repair.done;
    await stage.live('after both');
    await stage.settle({ drifts: true });
  },

  'a request that is dropped because its job is just being claimed': async (stage) => {
    const worker = await stage.actor();
    const ticker = await stage.actor();
    await stage.query(sellSql(1));
    await markAndWait(stage);
    await stage.query('select millrace.tick()');
    const [job] = await jobsOf(stage, 'proof_note_item:%');
    if (job === undefined) stage.faults.push('no job was added');
    // The engine knows nothing of it any more, as after a restore of what it wrote down.
    await stage.query(`update millrace.run set job_id = null where job_id = ${job}`);
    // A worker claims it, while the key has changed once more.
    await stage.query(sellSql(1, 7));
    await markAndWait(stage);
    await worker.query('begin');
    await worker.query(`update graphile_worker._private_jobs
      set attempts = 1, locked_at = now(), locked_by = 'proof' where id = ${job}`);
    const tick = await stage.untilBlocked(ticker, () => ticker.query('select millrace.tick()'));
    if (!tick.waited) stage.faults.push('the tick did not meet the claim');
    await worker.query('commit');
    await tick.done;
    // What it did is older than the last change.
    await stage.query(`delete from graphile_worker._private_jobs where id = ${job}`);
    await stage.settle();
  },

  'a key that never comes to rest': async (stage) => {
    await stage.query(sheetCall("debounce => '1 hour', max_wait => '2 hours'"));
    await stage.query(quantitySql(1));
    await stage.drainAll();
    await stage.query('select millrace.tick()');
    if ((await jobsOf(stage, 'recompute:proof.shop_sheet')).length > 0) {
      stage.faults.push('a key that has just changed does not wait for its debounce');
    }
    // The first change is three hours old, and it has just changed again.
    await stage.query(`update ${SHEET_WORK} set first_at = first_at - interval '3 hours'`);
    await stage.query(`update millrace.run set look_at = null where look_at > clock_timestamp()`);
    await stage.query('select millrace.tick()');
    await stage.runJobs();
    const { rows } = await stage.query(`select * from ${SHEET_WORK}`);
    if (rows.length > 0) stage.faults.push('a key waits longer than max_wait');
    await stage.settle();
  },

  'a clock that was set back': async (stage) => {
    await stage.query(sellSql(1));
    await stage.drainAll();
    // What it leaves behind: moments that are an hour from now.
    await stage.query(`
      update ${SHEET_WORK} set first_at = first_at + interval '1 hour',
        marked_at = marked_at + interval '1 hour';
      update millrace_log.proof__shop_view__work set first_at = first_at + interval '1 hour',
        marked_at = marked_at + interval '1 hour';
      update millrace_log.proof_item_sold__work set first_at = first_at + interval '1 hour',
        marked_at = marked_at + interval '1 hour';
      update millrace.run set queued_at = clock_timestamp() + interval '1 hour',
        look_at = clock_timestamp() + interval '1 hour';
      update millrace.progress set started_at = clock_timestamp() + interval '1 hour',
        finished_at = clock_timestamp() + interval '1 hour'`);
    await stage.query('select millrace.tick()');
    await stage.runJobs();
    for (const work of ['shop_sheet', 'shop_view']) {
      const { rows } = await stage.query(`select * from millrace_log.proof__${work}__work`);
      if (rows.length > 0) stage.faults.push(`${work} waits for an hour that was already`);
    }
    const { rows } = await stage.query('select * from proof.noted_item');
    if (rows.length !== 1) stage.faults.push('the reaction waits for an hour that was already');
    await stage.settle();
  },

  'a change while a reaction runs': async (stage) => {
    await stage.query(sellSql(1));
    await markAndWait(stage);
    await stage.query('select millrace.tick()');
    await stage.holdTasks();
    let over = false;
    const running = stage.runJobs().finally(() => {
      over = true;
    });
    if (!(await stage.waitsFor(TASK_LOCK, () => over))) stage.faults.push('the task did not run');
    await stage.query(sellSql(1, 7));
    await markAndWait(stage);
    await stage.query('select millrace.tick()');
    // Nothing is there to be claimed: it ends at once.
    await stage.runJobs();
    await stage.openTasks();
    await running;
    await stage.query('select millrace.tick()');
    await stage.settle();
  },

  'a job that is lost': async (stage) => {
    await stage.query(quantitySql(1));
    await markAndWait(stage);
    await stage.query('select millrace.tick()');
    const { rowCount } = await stage.query(
      `delete from graphile_worker._private_jobs where key = 'recompute:proof.shop_sheet'`,
    );
    if (rowCount !== 1) stage.faults.push('no job was added');
    await stage.live('while nothing runs');
    await stage.settle();
  },

  'a snapshot older than a changed definition': async (stage) => {
    const reader = await stage.actor();
    await stage.query(quantitySql(1));
    await stage.drainAll();
    // It has not looked at the relation: a declaration would wait for whoever has.
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1 from proof.label');
    await stage.query('begin');
    await stage.query(sheetDefinition(2));
    await stage.query(sheetCall());
    await stage.query('commit');
    await stage.live('after the declaration', SHEET);
    await stage.live('in the older snapshot', SHEET, reader.client);
    await reader.query('commit');
    await stage.settle();
  },
} satisfies Record<string, (stage: Stage) => Promise<void>>;

/** In repeatable read a run may be refused; if it is not, it must be right. */
async function finishOrGiveUp(actor: Actor, work: () => Promise<unknown>): Promise<void> {
  const failure = await work().then(
    () => null,
    (error: unknown) => sqlState(error),
  );
  if (failure !== null && failure !== '40001') throw new Error(`it got ${failure}`);
  await actor.query(failure === null ? 'commit' : 'rollback');
}
