import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDemoData } from '../../scripts/lib/demo-data.ts';
import { type DiscoveryPlan, planDiscovery } from '../../scripts/lib/demo-discovery.ts';
import { type MessagingPlan, planMessaging } from '../../scripts/lib/demo-messaging.ts';
import { randomFor, spread } from '../../scripts/lib/demo-spread.ts';
import { planTelemetry } from '../../scripts/lib/demo-telemetry.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

const noGuests = () => false;
const anybody = () => true;

function everythingOf(plan: DiscoveryPlan): unknown[] {
  return [
    plan.sizes,
    plan.validators,
    ...[
      plan.profiles,
      plan.projects,
      plan.upvotes,
      plan.comments,
      plan.badges,
      plan.chains,
      plan.chainProjects,
      plan.chainFollows,
      plan.chainPosts,
      plan.investors,
      plan.intros,
    ].map((rows) => [...rows()]),
  ];
}

const conversationsOf = (plan: MessagingPlan): unknown[] => [
  plan.sizes,
  plan.blocks,
  plan.suspensions,
  [...plan.conversations()],
  [...plan.members()],
  [...plan.messages()],
];

const count = (rows: Iterable<unknown>) => {
  let n = 0;
  for (const _ of rows) n += 1;
  return n;
};

describe('spread', () => {
  it('gives exactly the total, falling with the rank, never above the cap', () => {
    for (const [total, size, cap] of [
      [50_000, 1_000, 800],
      [7, 100, 5],
      [100, 10, 10],
      [1_000, 10, 30],
      [0, 10, 5],
      [12, 1, 100],
    ] as const) {
      const counts = spread(randomFor(1, 99), total, size, cap);
      expect(counts.reduce((sum, it) => sum + it, 0)).toBe(Math.min(total, size * cap));
      expect(Math.max(...counts)).toBeLessThanOrEqual(cap);
    }
    const counts = spread(randomFor(1, 99), 50_000, 1_000, 800).sort().reverse();
    const share = (n: number) => counts.slice(0, n).reduce((sum, it) => sum + it, 0) / 50_000;
    expect(share(100)).toBeGreaterThan(0.4);
    expect(share(1)).toBeLessThan(0.02);
    expect(counts[999]).toBeGreaterThan(0);
  });
});

describe('the plans', () => {
  it('are the same for the same scale and batch, others for another batch', () => {
    const discovery = (batch: number) =>
      JSON.stringify(everythingOf(planDiscovery(200, noGuests, 0.1, batch)));
    expect(discovery(1)).toBe(discovery(1));
    expect(discovery(1)).not.toBe(discovery(2));
    const messaging = (batch: number) =>
      JSON.stringify(conversationsOf(planMessaging(200, anybody, 0.1, batch)));
    expect(messaging(1)).toBe(messaging(1));
    expect(messaging(1)).not.toBe(messaging(2));
  });

  it('hold at scale 1 what is promised, and ten times that at 10', () => {
    for (const scale of [1, 10]) {
      const { sizes } = planDiscovery(2_000 * scale, noGuests, scale);
      expect(sizes).toMatchObject({
        projects: 1_000 * scale,
        upvotes: 50_000 * scale,
        comments: 10_000 * scale,
        chains: 300 * scale,
        investors: 120 * scale,
        intros: 800 * scale,
      });
    }
    const plan = planDiscovery(2_000, noGuests, 1);
    const counted = {
      profiles: count(plan.profiles()),
      projects: count(plan.projects()),
      upvotes: count(plan.upvotes()),
      comments: count(plan.comments()),
      chains: count(plan.chains()),
      chainProjects: count(plan.chainProjects()),
      chainFollows: count(plan.chainFollows()),
      chainPosts: count(plan.chainPosts()),
      investors: count(plan.investors()),
      intros: count(plan.intros()),
    };
    expect(counted).toEqual(plan.sizes);
    const messaging = planMessaging(2_000, anybody, 1);
    expect(messaging.sizes.directMessages).toBe(20_000);
    expect(count(messaging.messages())).toBe(20_000);
    expect(count(messaging.members())).toBe(messaging.sizes.directMembers);
  });

  it('work at any scale, a tiny one too', () => {
    for (const scale of [0.001, 0.013, 0.07]) {
      const accounts = Math.max(20, Math.round(2_000 * scale));
      everythingOf(planDiscovery(accounts, (index) => index % 3 === 0, scale));
      conversationsOf(planMessaging(accounts, (index) => index > 3, scale));
    }
  });

  it('are written in several scripts, with accents, and with words that come once', () => {
    const text = [...planDiscovery(2_000, noGuests, 1).projects()]
      .map((it) => `${it.title} ${it.tagline} ${it.description}`)
      .join(' ');
    for (const script of ['Latin', 'Han', 'Hiragana', 'Cyrillic', 'Arabic']) {
      const letters = text.match(new RegExp(`\\p{Script=${script}}`, 'gu')) ?? [];
      expect(letters.length, script).toBeGreaterThan(300);
    }
    expect(text.match(/[éèàüößñáí]/g)?.length).toBeGreaterThan(300);
    const names = new Map<string, number>();
    for (const [word] of text.matchAll(/\p{Lu}\p{L}+/gu)) {
      names.set(word, (names.get(word) ?? 0) + 1);
    }
    expect([...names.values()].filter((n) => n === 1).length).toBeGreaterThan(300);
  });

  it('have hot conversations and quiet ones, read and unread messages, in the order of time', () => {
    const plan = planMessaging(2_000, anybody, 1);
    const perConversation = new Map<number, number>();
    let unread = 0;
    let last = 0;
    for (const message of plan.messages()) {
      const { conversation } = message;
      perConversation.set(conversation, (perConversation.get(conversation) ?? 0) + 1);
      unread += message.unreadBy.length;
      expect(message.createdAt).toBeGreaterThan(last - 86_400_000);
      last = Math.max(last, message.createdAt);
    }
    const sorted = [...perConversation.values()].sort((a, b) => b - a);
    expect(sorted[0]).toBeGreaterThan(300);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(12);
    expect(unread).toBeGreaterThan(1_000);
    expect(unread).toBeLessThan(10_000);
  });
});

describe('the plan of telemetry', () => {
  const NOW = Date.UTC(2026, 10, 22, 12);
  const plan = (batch: number) => [...planTelemetry(500, 0.2, batch, NOW)];

  it('is the same for the same batch and moment, another for another batch', () => {
    expect(plan(1)).toEqual(plan(1));
    expect(plan(1)).not.toEqual(plan(2));
  });

  it('is of the six days before, in the order of time, page views above all', () => {
    const events = plan(1);
    expect(events).toHaveLength(2_000);
    const times = events.map((it) => it.occurredAt);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(NOW - 6 * 86_400_000);
    expect(times.at(-1)).toBeLessThanOrEqual(NOW);
    const views = events.filter((it) => it.kind === 'page.view').length;
    expect(views / events.length).toBeGreaterThan(0.5);
    expect(new Set(events.map((it) => it.kind)).size).toBe(6);
    expect(Math.max(...events.map((it) => it.account))).toBeLessThan(500);
  });
});

describe('the loaded data of discovery and messaging', () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await createTestDatabase();
    await loadDemoData(db.connectionString, { scale: 0.1 });
  });
  afterAll(async () => {
    await db?.drop();
  });

  it('break no rule that the functions hold', async () => {
    const { rows } = await db.pool.query(`
      select
        (select count(*)::int from app_public.project_upvote u
          join app_public.project p on p.id = u.project_id
          where u.account_id = p.owner_id) as own_upvotes,
        (select count(*)::int from app_public.project p
          join app_public.account a on a.id = p.owner_id where a.is_guest) as guests_projects,
        (select count(*)::int from app_public.project_comment c
          join app_public.project_comment parent on parent.id = c.parent_id
          where parent.parent_id is not null or parent.id >= c.id
            or parent.created_at > c.created_at) as wrong_replies,
        (select count(*)::int from app_public.chain_post c
          join app_public.chain_post parent on parent.id = c.parent_id
          where parent.parent_id is not null or parent.created_at > c.created_at) as wrong_posts,
        (select count(*)::int from app_public.badge b
          join app_public.project p on p.id = b.project_id
          where b.points <> app_hidden.badge_points(b.kind) or b.validator_id = p.owner_id
            or not exists (
              select from app_private.account_role r
              where r.account_id = b.validator_id and r.role = 'validator'
            )) as wrong_badges,
        (select count(*)::int from app_public.intro_request r
          join app_public.project p on p.id = r.project_id
          join app_public.investor i on i.id = r.investor_id
          where (r.requester_id, r.recipient_id) not in
            ((p.owner_id, i.account_id), (i.account_id, p.owner_id))) as wrong_intros,
        (select count(*)::int from app_public.intro_request
          where state = 'requested' and expires_at < now()) as overdue,
        (select count(*)::int from (
          select tags from app_public.project union all select skills from app_public.profile
          union all select sectors from app_public.investor
        ) t (tags) where app_hidden.require_tags(tags, 'tags', 8) <> tags) as wrong_tags,
        (select count(*)::int from app_public.chain_project cp
          join app_public.chain c on c.id = cp.chain_id
          where cp.added_by_id <> c.owner_id) as added_by_others,
        (select count(*)::int from app_public.account a
          where (a.suspended_at is null) = exists (
            select from app_public.account_suspension s
            where s.account_id = a.id and s.withdrawn_at is null
          )) as unexplained_suspensions,
        (select count(*)::int from app_public.account_suspension s
          join app_private.account_role r on r.account_id = s.account_id) as suspended_officials,
        (select count(*)::int from app_public.direct_conversation c
          where is_group = (
            select count(*) = 2 from app_public.direct_member m
            where m.conversation_id = c.id
              and m.account_id in (c.first_account_id, c.second_account_id)
          )) as wrong_pairs
    `);
    expect(new Set(Object.values(rows[0]))).toEqual(new Set([0]));
    expect(Object.keys(rows[0])).toHaveLength(12);
  });

  it('are events that the function would have taken, with their sums', async () => {
    const { rows } = await db.pool.query(`
      select count(*)::int as events,
        count(*) filter (where e.occurred_at not between now() - interval '7 days' and now())::int
          as outside,
        count(*) filter (where d.day is null)::int as without_day,
        (select sum(event_count)::int from app_public.telemetry_day) as counted
      from app_public.telemetry_event e
      left join app_public.telemetry_day d using (day, kind)`);
    expect(rows).toEqual([{ events: 1000, outside: 0, without_day: 0, counted: 1000 }]);
  });

  it('have as unread what is after the last message read, except what is one’s own or deleted', async () => {
    const { rows } = await db.pool.query(`
      with expected as (
        select m.account_id, m.conversation_id, x.id
        from app_public.direct_member m
        join app_public.direct_message x on x.conversation_id = m.conversation_id
          and x.id > coalesce(m.last_read_message_id, 0)
        where m.left_at is null and x.sender_id <> m.account_id and x.deleted_at is null
      )
      (select * from expected
        except all select account_id, conversation_id, message_id from app_hidden.direct_unread)
      union all
      (select account_id, conversation_id, message_id from app_hidden.direct_unread
        except all select * from expected)`);
    expect(rows).toEqual([]);
    const unread = await db.pool.query('select from app_hidden.direct_unread');
    expect(unread.rowCount).toBeGreaterThan(50);
  });

  it('are kept: counters and relations agree with a recount, and nothing waits', async () => {
    const { rows } = await db.pool.query<{ name: string; keys_drifted: string }>(
      'select name, keys_drifted from millrace.reconcile()',
    );
    expect(rows.length).toBeGreaterThan(25);
    expect(rows.filter(({ keys_drifted }) => Number(keys_drifted) !== 0)).toEqual([]);
    const { rows: pending } = await db.pool.query(
      'select name from millrace.status where pending_rows > 0',
    );
    expect(pending).toEqual([]);
    const { rows: list } = await db.pool.query(`
      (select * from app_public.direct_conversation_list
        except all select * from app_private.direct_conversation_list_definition)
      union all
      (select * from app_private.direct_conversation_list_definition
        except all select * from app_public.direct_conversation_list)`);
    expect(list).toEqual([]);
  });

  it('can be gone on with: ids are not taken twice', async () => {
    const { rows } = await db.pool.query(
      `select c.id, c.first_account_id as sender from app_public.direct_conversation c
      where not is_group and not app_hidden.is_blocked_between(first_account_id, second_account_id)
      order by id limit 1`,
    );
    const { id, sender } = rows[0];
    await db.pool.query('update app_public.account set suspended_at = null where id = $1', [
      sender,
    ]);
    const sent = await db.asAccount(sender, (client) =>
      client.query("select id from app_public.send_message($1, 'And now?')", [id]),
    );
    const latest = await db.pool.query('select max(id) as id from app_public.direct_message');
    expect(BigInt(sent.rows[0].id)).toBeGreaterThan(BigInt(latest.rows[0].id));
  });
});
