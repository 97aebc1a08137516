import { RELATION_SCENARIOS } from './relation-scenarios.ts';
import type { Stage } from './stage.ts';
import { DELIBERATION, type Derived, derived } from './world.ts';

/*
 * The interleavings that break counters, each as a few named steps. An engine that is right passes
 * all of them; each is the one that catches a certain mistake.
 */

export interface Scenario {
  name: string;
  play(stage: Stage): Promise<void>;
}

const voteSql = (opinion: number, voter: number, choice = 'agree') =>
  `insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
  values (${opinion}, ${(opinion % 3) + 1}, ${voter}, '${choice}')`;

const moderateSql = (opinion: number, moderation: string) =>
  `update app_public.opinion set moderation = ${moderation} where id = ${opinion}`;

/**
 * Until all transactions that are open now, anywhere in the cluster, have ended: an open one of
 * another test holds the horizon back, and hides what a horizon too far would do.
 */
const OLDER_ENDED = `do $$ declare
  v_xmax constant xid8 not null default pg_snapshot_xmax(pg_current_snapshot());
begin
  while pg_snapshot_xmin(pg_current_snapshot()) < v_xmax loop
    perform pg_sleep(0.005);
  end loop;
end $$`;

/** Transactions that come and go. */
const OTHERS = `do $$ begin
  for i in 1 .. 200 loop
    perform pg_current_xact_id();
    commit;
  end loop;
end $$`;

const VOTE_COUNT = DELIBERATION.filter(
  ({ name }) => name === 'app_public.conversation.vote_count',
) as [Derived];

const SCENARIOS = {
  'a commit later than a drain that saw newer rows': async (stage) => {
    const late = await stage.actor();
    await late.query('begin');
    await late.query(voteSql(1, 20));
    await stage.query(voteSql(1, 21));
    await stage.query('select millrace.drain()');
    await late.query('commit');
    await stage.check('after the late commit');
    await stage.settle();
  },

  'a commit after a tick that found nothing': async (stage) => {
    const ticker = await stage.actor();
    const late = await stage.actor();
    await stage.query(`
      create table proof.shelf (id bigint primary key, books bigint not null default 0);
      create table proof.book (shelf_id bigint not null);
      create index on proof.book (shelf_id);
      insert into proof.shelf values (1);
      select millrace.counter('proof.shelf.books', 'proof.book', '{shelf_id}')`);
    const book = 'insert into proof.book values (1)';
    /** Ticks until one finds nothing, and nothing running; the transaction that comes next. */
    const untilQuiet = async (): Promise<string | undefined> => {
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const { rows } = await ticker.query('select millrace.tick() as tick');
        if (rows[0].tick.rows === 0) return rows[0].tick.seen;
      }
      throw new Error('it never comes to rest');
    };
    const isNoticed = async (seen: string | undefined): Promise<boolean> =>
      seen === undefined ||
      (await ticker.query(`select millrace.await_change('${seen}', '1 ms') as noticed`)).rows[0]
        .noticed;
    // Until nothing was running a few times: while others write to the cluster everything is noticed.
    const deadline = Date.now() + 60_000;
    let quiet = 0;
    for (let round = 0; round < 15 || (quiet < 5 && Date.now() < deadline); round += 1) {
      await late.query('begin');
      await late.query(book);
      await stage.query(book);
      const beside = await untilQuiet();
      await late.query('commit');
      if (!(await isNoticed(beside))) stage.faults.push('what was open before is not noticed');
      const alone = await untilQuiet();
      if (alone !== undefined) quiet += 1;
      await stage.query(book);
      if (!(await isNoticed(alone))) stage.faults.push('what came after is not noticed');
    }
    await stage.settle();
  },

  'commits in the middle of a drain': async (stage) => {
    const drainer = await stage.actor();
    await stage.query(voteSql(1, 20));
    await stage.query(moderateSql(2, "'hidden'"));
    await stage.holdAtGate(drainer);
    const drain = await stage.untilBlocked(drainer, () => drainer.query('select millrace.drain()'));
    if (!drain.waited) stage.faults.push('the drain did not come to the gate');
    await stage.query(voteSql(1, 21));
    await stage.query(voteSql(4, 21));
    await stage.query(moderateSql(3, "'hidden'"));
    await stage.check('while the drain is held');
    await stage.openGate();
    await drain.done;
    await stage.check('after the drain');
    await stage.settle();
  },

  'commits in the middle of a drain, others after it': async (stage) => {
    const drainer = await stage.actor();
    await stage.query(voteSql(1, 20));
    await stage.query('select millrace.drain()');
    await stage.query(voteSql(1, 21));
    await stage.holdAtGate(drainer);
    const drain = await stage.untilBlocked(drainer, () => drainer.query('select millrace.drain()'));
    if (!drain.waited) stage.faults.push('the drain did not come to the gate');
    await stage.query(voteSql(4, 21));
    await stage.query(moderateSql(3, "'hidden'"));
    await stage.query(OTHERS);
    await stage.query(voteSql(1, 22));
    await stage.openGate();
    await drain.done;
    await stage.query(OTHERS);
    await stage.check('after the drain and others');
    await stage.settle();
  },

  'a long transaction across drains': async (stage) => {
    const late = await stage.actor();
    await late.query('begin');
    await late.query(voteSql(1, 20));
    for (const voter of [21, 22, 23]) {
      await stage.query(voteSql(1, voter));
      await stage.query('select millrace.drain()');
      await stage.query(OTHERS);
      await stage.check(`while it is open, after voter ${voter}`);
    }
    await late.query(voteSql(4, 20));
    await late.query(moderateSql(2, "'hidden'"));
    await stage.check('in the long transaction', DELIBERATION, late.client);
    await late.query('commit');
    await stage.check('after its commit');
    await stage.query('select millrace.drain()');
    await stage.query(OTHERS);
    await stage.check('after a drain');
    await stage.settle();
  },

  'a long snapshot across drains': async (stage) => {
    const reader = await stage.actor();
    const writer = await stage.actor();
    await stage.query(voteSql(1, 20));
    for (const { client } of [reader, writer]) {
      await client.query('begin isolation level repeatable read');
      await stage.check('when the snapshot is taken', DELIBERATION, client);
    }
    for (const voter of [21, 22, 23]) {
      await stage.query(voteSql(1, voter));
      await stage.query(moderateSql(2, voter === 22 ? 'null' : "'moved'"));
      await stage.query('select millrace.drain()');
      await stage.query(OTHERS);
      await stage.query(voteSql(4, voter));
      await stage.check(`after voter ${voter}`);
      await stage.check('in the old snapshot', DELIBERATION, reader.client);
    }
    await writer.query(voteSql(4, 20));
    await stage.check('in an old snapshot that writes', DELIBERATION, writer.client);
    await writer.query('commit');
    await stage.check('after its commit');
    await reader.query('commit');
    await stage.settle();
  },

  'a drain in the middle of a transaction': async (stage) => {
    const drainer = await stage.actor();
    await drainer.query('begin');
    await drainer.query(voteSql(1, 20));
    await stage.query(OTHERS);
    await drainer.query('select millrace.drain()');
    await drainer.query(voteSql(1, 21));
    await stage.check('in it', DELIBERATION, drainer.client);
    await drainer.query('savepoint s');
    await drainer.query('select millrace.drain()');
    await drainer.query(voteSql(1, 22));
    await stage.query(OTHERS);
    await stage.check('in it, after a second one', DELIBERATION, drainer.client);
    await drainer.query('rollback to s');
    await stage.check('in it, with the second undone', DELIBERATION, drainer.client);
    await drainer.query('savepoint t');
    await drainer.query('select millrace.drain()');
    await drainer.query('release t');
    await drainer.query(voteSql(4, 21));
    await drainer.query('commit');
    await stage.query(OTHERS);
    await stage.check('after it');
    await stage.settle();
  },

  'a restored database': async (stage) => {
    await stage.query(voteSql(1, 20));
    await stage.query('select millrace.drain()');
    // As a dump would bring it: by another transaction, with a number of the other cluster.
    await stage.query(
      `update millrace.horizon set since = (since::text::bigint + 1000000)::text::xid8`,
    );
    await stage.query(voteSql(1, 21));
    await stage.query(moderateSql(2, "'hidden'"));
    await stage.check('before the first drain');
    await stage.query('select millrace.drain()');
    await stage.query(voteSql(1, 22));
    await stage.check('after it');
    await stage.settle();
  },

  'slices with other transactions between them': async (stage) => {
    for (const opinion of [1, 2, 4]) {
      await stage.query(voteSql(opinion, 20));
      await stage.query(moderateSql(opinion, "'moved'"));
      await stage.query(OTHERS);
    }
    for (let slice = 1; slice <= 3; slice += 1) {
      await stage.query(OLDER_ENDED);
      await stage.query(`select millrace.drain(${slice})`);
      await stage.query(OTHERS);
      await stage.check(`after a slice of ${slice}`);
    }
    await stage.settle();
  },

  'a vote and a moderation of its opinion, both pending': async (stage) => {
    const moderator = await stage.actor();
    await moderator.query('begin');
    await moderator.query(moderateSql(1, "'hidden'"));
    await stage.query(voteSql(1, 20));
    await stage.check('before the moderation commits');
    await moderator.query('commit');
    await stage.check('both pending');
    await stage.query('select millrace.drain()');
    await stage.check('both drained');
    await stage.query(moderateSql(1, 'null'));
    await stage.query(voteSql(1, 21));
    await stage.query('delete from app_public.opinion_vote where opinion_id = 1 and voter_id = 3');
    await stage.check('withdrawn, voted and deleted, all pending');
    await stage.settle();
  },

  'slices of votes and moderations that belong together': async (stage) => {
    for (const opinion of [1, 2, 3]) {
      await stage.query(moderateSql(opinion, "'moved'"));
      await stage.query(voteSql(opinion, 20));
      await stage.query(moderateSql(opinion, 'null'));
      await stage.query(voteSql(opinion, 21));
      await stage.query(moderateSql(opinion, "'hidden'"));
    }
    for (let slice = 1; slice <= 4; slice += 1) {
      await stage.query(`select millrace.drain(${slice})`);
      await stage.check(`after a slice of ${slice}`);
    }
    await stage.settle();
  },

  'a drain that commits in the middle of an exact read': async (stage) => {
    const drainer = await stage.actor();
    const reader = await stage.actor();
    // One in each conversation: the first that is read is the one that waits.
    for (const opinion of [1, 2, 3]) await stage.query(voteSql(opinion, 20));
    await drainer.query('begin');
    await drainer.query(
      'lock table millrace_log.app_public__opinion_vote in access exclusive mode',
    );
    // The read waits for the log, having taken its snapshot; then the drain commits first.
    const read = await stage.untilBlocked(reader, () =>
      stage.check('beside the drain', VOTE_COUNT, reader.client),
    );
    if (!read.waited) stage.faults.push('the read did not come to the log');
    await drainer.query('select millrace.drain()');
    await drainer.query('commit');
    await read.done;
    await stage.settle();
  },

  'reconcile while rows are pending': async (stage) => {
    await stage.query(voteSql(1, 20));
    await stage.query(moderateSql(2, "'hidden'"));
    await stage.query('select millrace.reconcile(repair => true)');
    await stage.check('after reconcile');
    await stage.query('select millrace.drain()');
    await stage.check('after the drain');
    await stage.settle();
  },

  'a pause while a reconcile waits': async (stage) => {
    const owner = await stage.actor();
    const reconciler = await stage.actor();
    await stage.settle();
    const name = 'app_public.conversation.vote_count';
    await owner.query('begin');
    await owner.query(`select millrace.pause('${name}')`);
    // It has looked up what to compare, and waits for the engine's lock.
    const reconcile = await stage.untilBlocked(reconciler, () =>
      reconciler.query(`call millrace.reconcile_batches('{"name": "${name}"}')`),
    );
    if (!reconcile.waited) stage.faults.push('the reconcile did not wait for the pause');
    await stage.query(voteSql(1, 20));
    // Others have what is written now, the one that is paused has not.
    await owner.query('select millrace.drain()');
    await owner.query('commit');
    await reconcile.done;
    const { rows } = await stage.query('select name, drift from millrace.drift_log');
    for (const drift of rows) stage.faults.push(`false drift: ${JSON.stringify(drift)}`);
    await stage.query(`select millrace.resume('${name}')`);
    await stage.settle();
  },

  'two reconcilers that find the same drift': async (stage) => {
    const first = await stage.actor();
    const second = await stage.actor();
    const repair = `select * from millrace.reconcile('app_public.conversation.vote_count', true)`;
    await stage.query(
      'update app_public.conversation set vote_count = vote_count + 10 where id = 1',
    );
    await stage.holdAtGate(first);
    const one = await stage.untilBlocked(first, () => first.query(repair));
    if (!one.waited) stage.faults.push('the first reconcile did not come to the gate');
    const two = await stage.untilBlocked(second, () => second.query(repair));
    await stage.openGate();
    await one.done;
    const found = await two.done;
    if (found?.rows[0].keys_drifted !== '0') stage.faults.push('both found the drift');
    await stage.check('after both');
    await stage.settle({ drifts: true });
  },

  'a reconcile in the middle of a drain': async (stage) => {
    const drainer = await stage.actor();
    const reconciler = await stage.actor();
    await stage.query(voteSql(1, 20));
    await stage.query(voteSql(4, 20));
    await stage.holdAtGate(drainer);
    const drain = await stage.untilBlocked(drainer, () => drainer.query('select millrace.drain()'));
    const other = await stage.untilBlocked(reconciler, () =>
      reconciler.query('select * from millrace.reconcile(repair => true)'),
    );
    await stage.query('delete from app_public.opinion_vote where voter_id = 5');
    await stage.openGate();
    await drain.done;
    await other.done;
    await stage.check('after both');
    await stage.settle();
  },

  'two drains at once': async (stage) => {
    const first = await stage.actor();
    const second = await stage.actor();
    await stage.query(voteSql(1, 20));
    await stage.query(moderateSql(4, "'hidden'"));
    // What a drain generates once is there before two of them meet.
    await stage.query('select millrace.drain()');
    await stage.query(voteSql(1, 22));
    await stage.query(moderateSql(4, 'null'));
    await stage.holdAtGate(first);
    const one = await stage.untilBlocked(first, () => first.query('select millrace.drain()'));
    await stage.query(voteSql(4, 20));
    await stage.query(voteSql(1, 21));
    await stage.query('delete from app_public.opinion_vote where voter_id = 6');
    const two = await stage.untilBlocked(second, () => second.query('select millrace.drain()'));
    await stage.openGate();
    await one.done;
    await two.done;
    await stage.check('after both');
    await stage.settle();
  },

  truncate: async (stage) => {
    await stage.query(voteSql(1, 20));
    await stage.query('truncate app_public.opinion_vote');
    await stage.check('after the truncate');
    await stage.query(voteSql(1, 21));
    await stage.query('select millrace.drain()');
    await stage.query('truncate app_public.opinion cascade');
    await stage.check('after a truncate of both tables');
    await stage.settle();
  },

  'what no longer counts goes': async (stage) => {
    await stage.query(
      'update app_public.opinion_vote set cancelled_at = now() where opinion_id = 1 and voter_id < 5',
    );
    await stage.query('select millrace.drain()');
    await stage.query(
      'update app_public.opinion_vote set cancelled_at = now() where opinion_id = 1',
    );
    await stage.query('delete from app_public.opinion_vote where opinion_id = 1 and voter_id < 4');
    await stage.check('cancelled votes deleted');
    await stage.query('select millrace.drain()');
    await stage.query('update app_public.opinion set deleted_at = now() where id = 2');
    await stage.query(moderateSql(2, "'hidden'"));
    await stage.query('delete from app_public.opinion where id = 2');
    await stage.check('a deleted opinion deleted');
    await stage.settle();
  },

  'a target row that somebody holds': async (stage) => {
    const holder = await stage.actor();
    await holder.query('begin');
    await holder.query("update app_public.conversation set topic = 'another' where id = 2");
    await stage.query(voteSql(1, 20));
    await stage.query(voteSql(2, 20));
    await stage.query('select millrace.drain()');
    await stage.check('while the row is held');
    await stage.query(moderateSql(1, "'moved'"));
    await stage.query('select millrace.drain()');
    await stage.check('while the row is held, again');
    await holder.query('commit');
    await stage.settle();
  },

  'a row that a target refers to, held by somebody': async (stage) => {
    const holder = await stage.actor();
    const drainer = await stage.actor();
    await stage.query('delete from app_public.opinion where id = 3');
    await stage.query(`insert into app_public.opinion (id, conversation_id, author_id, content)
      overriding system value values (3, 1, 1, 'again')`);
    await stage.query(voteSql(3, 20));
    await holder.query('begin');
    await holder.query('select from app_public.conversation where id = 1 for update');
    // Two updates of a row in one transaction make Postgres check its foreign keys, and wait.
    for (const call of ['drain()', 'drain()', "run_now('app_public.opinion.agree_count')"]) {
      const running = await stage.untilBlocked(drainer, () =>
        drainer.query(`select millrace.${call}`),
      );
      if (running.waited) stage.faults.push(`${call} waits for the row`);
      if (running.waited) await holder.query('rollback');
      await running.done;
    }
    await stage.check('while the row is held');
    await holder.query('rollback');
    await stage.settle();
  },

  'a truncate and an update of a target beside a drain': async (stage) => {
    const drainer = await stage.actor();
    const writer = await stage.actor();
    await stage.query(`insert into proof.tagging (item_id, label) values (1, 'label 1')`);
    await stage.query(`insert into proof.label (name) values ('label 2')`);
    await stage.holdAtGate(drainer);
    const drain = await stage.untilBlocked(drainer, () => drainer.query('select millrace.drain()'));
    if (!drain.waited) stage.faults.push('the drain did not come to the gate');
    await writer.query('begin');
    // One of them waits for the drain, which must not wait for the other.
    const update = await stage.untilBlocked(writer, async () => {
      await writer.query('truncate proof.tagging');
      await writer.query(`update proof.label set use_count = use_count where name = 'label 1'`);
    });
    if (!update.waited) stage.faults.push('the writer did not meet the drain');
    await stage.openGate();
    await drain.done;
    await update.done;
    await writer.query('commit');
    await stage.check('after both');
    await stage.settle();
  },

  'a target row that appears after what counts for it': async (stage) => {
    await stage.query(
      `insert into proof.tagging (item_id, label) values (1, 'label 2'), (2, 'label 2')`,
    );
    await stage.query('select millrace.drain()');
    await stage.query(`insert into proof.label (name) values ('label 2')`);
    await stage.check('when it appears');
    const { rows } = await stage.query('select * from millrace.reconcile() where keys_drifted > 0');
    if (rows.length > 0) stage.faults.push('reconcile takes the new row for drift');
    await stage.query('begin isolation level repeatable read');
    await stage.query('select millrace.drain()');
    await stage.query('commit');
    await stage.check('after a drain');
    await stage.settle();
  },

  'a key that is used again': async (stage) => {
    await stage.query('delete from app_public.conversation where id = 1');
    await stage.query(`insert into app_public.conversation (id, owner_id, topic)
      overriding system value values (1, 1, 'again')`);
    await stage.check('before a drain');
    await stage.query(`insert into app_public.opinion (id, conversation_id, author_id, content)
      overriding system value values (3, 1, 1, 'again')`);
    await stage.query(voteSql(3, 20));
    await stage.query('select millrace.drain(5)');
    await stage.check('after a slice');
    await stage.settle();
  },

  'a snapshot older than a resume': async (stage) => {
    const reader = await stage.actor();
    await stage.query(`select millrace.pause('app_public.conversation.vote_count')`);
    await stage.query(voteSql(1, 20));
    await stage.query('select millrace.drain()');
    await stage.check('while paused');
    await reader.query('begin isolation level repeatable read');
    await stage.check('in the old snapshot', DELIBERATION, reader.client);
    await stage.query(`select millrace.resume('app_public.conversation.vote_count')`);
    await stage.check('in the old snapshot, after the resume', DELIBERATION, reader.client);
    await reader.query('commit');
    await stage.settle();
  },

  'paused and resumed': async (stage) => {
    await stage.query(`select millrace.pause('app_public.conversation.participant_count')`);
    await stage.query(`select millrace.pause('app_public.opinion.agree_count')`);
    await stage.query(voteSql(1, 20));
    await stage.query('delete from app_public.opinion_vote where voter_id = 2');
    await stage.query('select millrace.drain()');
    await stage.check('while paused');
    await stage.query(`select millrace.resume('app_public.conversation.participant_count')`);
    await stage.query(voteSql(2, 20));
    await stage.check('after the resume');
    await stage.settle();
  },

  'reconcile while a derivation is being counted': async (stage) => {
    await stage.query(`select millrace.pause('app_public.opinion.agree_count')`);
    await stage.query(voteSql(1, 20));
    await stage.query(voteSql(30, 20));
    await stage.query('select millrace.drain()');
    // Only a read committed transaction counts at once; this leaves it to the drains.
    await stage.query('begin isolation level repeatable read');
    await stage.query(`select millrace.resume('app_public.opinion.agree_count')`);
    await stage.query('commit');
    await stage.query('begin');
    await stage.query('select millrace.lock_engine()');
    await stage.query('select millrace.backfill(10)');
    await stage.query('commit');
    await stage.check('a part is counted');
    const { rows } = await stage.query(
      'select * from millrace.reconcile(repair => true) where keys_drifted > 0',
    );
    if (rows.length > 0) stage.faults.push('reconcile takes what is not counted yet for drift');
    await stage.query(voteSql(2, 20));
    await stage.check('after reconcile');
    await stage.settle();
  },

  'a declaration on a table in use': async (stage) => {
    const writer = await stage.actor();
    const declarer = await stage.actor();
    const total = derived(
      'proof.label',
      ['name'],
      'weight_total',
      '(select coalesce(sum(g.weight), 0) from proof.tagging g where g.label = t.name)',
    );
    await stage.query('alter table proof.label add column weight_total bigint not null default 0');
    await stage.query(
      `insert into proof.tagging (item_id, label, weight) values (1, 'label 1', 5)`,
    );
    await writer.query('begin');
    await writer.query(
      `insert into proof.tagging (item_id, label, weight) values (2, 'label 1', 7)`,
    );
    const declaration = await stage.untilBlocked(declarer, () =>
      declarer.query(`select millrace.counter('${total.name}', 'proof.tagging', '{label}',
        value => 'weight')`),
    );
    if (!declaration.waited) stage.faults.push('the declaration did not wait for the writer');
    await stage.check('while it waits');
    await writer.query(`update proof.tagging set weight = weight + 1 where item_id = 1`);
    await writer.query('commit');
    await declaration.done;
    await stage.check('when it is declared', [total]);
    await stage.query(`delete from proof.tagging where item_id = 2`);
    await stage.check('after a change', [total]);
    await stage.settle();
    await stage.check('in the end', [total]);
  },

  'a resume with a snapshot older than a drain': async (stage) => {
    const drainer = await stage.actor();
    const operator = await stage.actor();
    await stage.query(`select millrace.pause('app_public.conversation.participant_count')`);
    await stage.query(voteSql(1, 20));
    await stage.query(moderateSql(4, "'hidden'"));
    await stage.holdAtGate(drainer);
    const drain = await stage.untilBlocked(drainer, () => drainer.query('select millrace.drain()'));
    let refused = false;
    await operator.query('begin isolation level repeatable read');
    const resume = await stage.untilBlocked(operator, async () => {
      // It may be refused, for its snapshot is old.
      refused = await operator
        .query(`select millrace.resume('app_public.conversation.participant_count')`)
        .then(
          () => false,
          (error: { code?: string }) => error.code === '40001',
        );
      await operator.query(refused ? 'rollback' : 'commit');
    });
    if (!resume.waited) stage.faults.push('the resume did not wait for the drain');
    await stage.openGate();
    await drain.done;
    await resume.done;
    if (refused) return await stage.settle();
    // Conversation 1 is counted; then a drain, and not the rest of the backfill, comes next.
    for (let odd = true; odd; ) {
      await stage.query('begin');
      await stage.query('select millrace.lock_engine()');
      await stage.query('select millrace.backfill(1)');
      await stage.query('commit');
      const { rows } = await stage.query('select number % 2 = 1 as odd from millrace.generation');
      odd = rows[0].odd;
    }
    await stage.query(voteSql(3, 21));
    await stage.query(moderateSql(4, 'null'));
    await stage.query('select millrace.drain()');
    await stage.query('select millrace.drain()');
    await stage.check('after the resume');
    await stage.settle();
  },

  'a drain with a snapshot older than a truncate': async (stage) => {
    const drainer = await stage.actor();
    await stage.query(moderateSql(1, "'hidden'"));
    await drainer.query('begin isolation level repeatable read');
    await drainer.query('select count(*) from app_public.opinion');
    await stage.query('truncate app_public.opinion_vote');
    // It may be refused; if it is not, it must be right.
    const done = await drainer.query('select millrace.drain()').then(
      () => true,
      () => false,
    );
    await drainer.query(done ? 'commit' : 'rollback');
    await stage.check('after the drain');
    await stage.settle();
  },

  'a target that is a source in turn': async (stage) => {
    await stage.query('update proof.item set quantity = quantity + 5');
    await stage.query('select millrace.drain()');
    await stage.check('after the first drain');
    await stage.query('delete from proof.item where id % 2 = 0');
    await stage.query('select millrace.drain(3)');
    await stage.check('after a slice');
    await stage.settle();
  },
} satisfies Record<string, Scenario['play']>;

const ALL = { ...SCENARIOS, ...RELATION_SCENARIOS };

export type ScenarioName = keyof typeof ALL;

export const SCENARIO_NAMES = Object.keys(ALL) as ScenarioName[];

export function scenario(name: ScenarioName): Scenario {
  return { name, play: ALL[name] };
}
