import type pg from 'pg';
import { RELATIONS_DECLARATIONS, RELATIONS_SCHEMA } from './relations.ts';

/*
 * What histories run on: the deliberation of the community backend as it is declared in db/derived,
 * and a schema of this test's own for what deliberation lacks: sums, composite, uuid and text keys,
 * keys that no foreign key guards, a partitioned source, keys on the far side of a foreign key, a
 * target that is a source in turn, a table that counts itself.
 */

/** A derived column and, written independently of the engine, what its value has to be. */
export interface Derived {
  /** schema.table.column */
  name: string;
  target: string;
  column: string;
  /** Primary key of the target. */
  key: string[];
  /** The generated exact read. */
  exact: string;
  /** The true value for the target row `t`, as SQL. */
  truth: string;
  /** For a distinct count: one row (key…, member, n) for each member, as SQL. */
  members?: string;
}

/** Names a derived column and its recount. */
export function derived(
  target: string,
  key: string[],
  column: string,
  truth: string,
  members?: string,
): Derived {
  return {
    name: `${target}.${column}`,
    target,
    column,
    key,
    exact: `${target}_${column}`,
    truth,
    members,
  };
}

const VOTE = 'from app_public.opinion_vote v';
const VOTE_OF_OPINION = `${VOTE} where v.opinion_id = t.id and v.cancelled_at is null`;
const STANDING = `${VOTE} join app_public.opinion o on o.id = v.opinion_id
  where v.cancelled_at is null and o.deleted_at is null`;
const LISTED = `${STANDING} and o.moderation is null`;
const OPINION = 'from app_public.opinion o where o.conversation_id = t.id and o.deleted_at is null';
const OF_T = 'and v.conversation_id = t.id';

export const DELIBERATION: Derived[] = [
  ...(['agree', 'disagree', 'pass'] as const).map((choice) =>
    derived(
      'app_public.opinion',
      ['id'],
      `${choice}_count`,
      `(select count(*) ${VOTE_OF_OPINION} and v.choice = '${choice}')`,
    ),
  ),
  ...Object.entries({
    opinion_count: `(select count(*) ${OPINION} and o.moderation is null)`,
    total_opinion_count: `(select count(*) ${OPINION})`,
    moderated_opinion_count: `(select count(*) ${OPINION} and o.moderation = 'moved')`,
    hidden_opinion_count: `(select count(*) ${OPINION} and o.moderation = 'hidden')`,
    vote_count: `(select count(*) ${LISTED} ${OF_T})`,
    total_vote_count: `(select count(*) ${STANDING} ${OF_T})`,
  }).map(([column, truth]) => derived('app_public.conversation', ['id'], column, truth)),
  derived(
    'app_public.conversation',
    ['id'],
    'participant_count',
    `(select count(distinct v.voter_id) ${LISTED} ${OF_T})`,
    `select v.conversation_id, v.voter_id, count(*) ${LISTED} group by 1, 2`,
  ),
  derived(
    'app_public.conversation',
    ['id'],
    'total_participant_count',
    `(select count(distinct v.voter_id) ${STANDING} ${OF_T})`,
    `select v.conversation_id, v.voter_id, count(*) ${STANDING} group by 1, 2`,
  ),
];

const OF_SHOP = 'where (i.region, i.code) = (t.region, t.code)';
const SOLD = 'from proof.sale s join proof.item i on i.id = s.item_id';
const SOLD_LISTED = `${SOLD} where not s.cancelled and i.state = 'listed'`;

export const PROOF: Derived[] = [
  ...Object.entries({
    item_count: `(select count(*) from proof.item i ${OF_SHOP} and i.state = 'listed')`,
    stock_total: `(select coalesce(sum(i.quantity), 0) from proof.item i ${OF_SHOP})`,
    value_total: `(select coalesce(sum(i.quantity * i.price), 0) from proof.item i ${OF_SHOP})`,
    sold_total: `(select coalesce(sum(s.amount), 0) ${SOLD_LISTED}
      and (i.region, i.code) = (t.region, t.code))`,
    event_weight: `(select coalesce(sum(e.weight), 0) from proof.event e
      where (e.region, e.code) = (t.region, t.code) and e.weight < 8)`,
  }).map(([column, truth]) => derived('proof.shop', ['region', 'code'], column, truth)),
  derived(
    'proof.shop',
    ['region', 'code'],
    'buyer_count',
    `(select count(distinct s.buyer) ${SOLD_LISTED} and (i.region, i.code) = (t.region, t.code))`,
    `select i.region, i.code, s.buyer, count(*) ${SOLD_LISTED} group by 1, 2, 3`,
  ),
  derived(
    'proof.region',
    ['name'],
    'stock_total',
    '(select coalesce(sum(s.stock_total), 0) from proof.shop s where s.region = t.name)',
  ),
  derived(
    'proof.region',
    ['name'],
    'busy_count',
    '(select count(*) from proof.shop s where s.region = t.name and s.item_count > 2)',
  ),
  derived(
    'proof.label',
    ['name'],
    'use_count',
    '(select count(*) from proof.tagging g where g.label = t.name and g.weight > 0)',
  ),
  derived(
    'proof.label',
    ['name'],
    'item_count',
    '(select count(distinct g.item_id) from proof.tagging g where g.label = t.name)',
    'select g.label, g.item_id, count(*) from proof.tagging g where g.item_id is not null group by 1, 2',
  ),
  derived(
    'proof.node',
    ['id'],
    'child_count',
    "(select count(*) from proof.node c where c.parent_id = t.id and c.kind <> 'ghost')",
  ),
  derived(
    'proof.node',
    ['id'],
    'grandchild_count',
    `(select count(*) from proof.node c join proof.node p on p.id = c.parent_id
      where p.parent_id = t.id and c.kind = 'leaf')`,
  ),
];

export const WORLD: Derived[] = [...DELIBERATION, ...PROOF];

/** Every table that a history writes, in the one order in which anything locks several of them. */
export const TABLES = [
  'app_public.conversation',
  'app_public.opinion',
  'app_public.opinion_moderation',
  'app_public.opinion_vote',
  'proof.region',
  'proof.shop',
  'proof.item',
  'proof.sale',
  'proof.label',
  'proof.tagging',
  'proof.event',
  'proof.node',
];

/** Rows that histories choose from; they are few, so that transactions meet. */
export const SIZE = {
  accounts: 60,
  moderators: 3,
  conversations: 3,
  opinions: 36,
  shops: 6,
  items: 40,
  labels: 10,
  nodes: 30,
} as const;

export const REGIONS = ['north', 'south', "o'east"];
export const CHOICES = ['agree', 'disagree', 'pass'];
export const MODERATIONS = ["'moved'", "'hidden'", 'null'];

/** An opinion keeps its conversation for ever, so that its votes need not look it up. */
export const conversationOf = (opinion: number): number => (opinion % SIZE.conversations) + 1;

/** The key of a shop, as two SQL literals. */
export function shopKey(shop: number): string {
  const region = REGIONS[shop % REGIONS.length] as string;
  return `'${region.replace("'", "''")}', '00000000-0000-4000-8000-${String(shop).padStart(12, '0')}'`;
}

const PROOF_SCHEMA = `
  create schema proof;
  create table proof.region (
    name text primary key,
    stock_total numeric not null default 0,
    busy_count bigint not null default 0
  );
  create table proof.shop (
    region text not null references proof.region on delete cascade,
    code uuid not null,
    note text,
    item_count bigint not null default 0,
    stock_total bigint not null default 0,
    value_total numeric not null default 0,
    sold_total numeric not null default 0,
    buyer_count integer not null default 0,
    event_weight bigint not null default 0,
    primary key (region, code)
  );
  create table proof.item (
    id bigint primary key,
    region text not null,
    code uuid not null,
    state text not null,
    quantity integer not null default 0,
    price numeric,
    foreign key (region, code) references proof.shop on delete cascade
  );
  create index on proof.item (region, code);
  create table proof.sale (
    id bigint generated always as identity primary key,
    item_id bigint not null references proof.item on delete cascade,
    buyer text not null,
    amount numeric not null,
    cancelled boolean not null default false
  );
  create index on proof.sale (item_id);
  create table proof.label (
    name text primary key,
    use_count bigint not null default 0,
    item_count bigint not null default 0
  );
  create table proof.tagging (item_id bigint, label text, weight integer not null default 1);
  create index on proof.tagging (label);
  create table proof.event (
    id bigint generated always as identity,
    kind text not null,
    region text not null,
    code uuid not null,
    weight integer
  ) partition by list (kind);
  create table proof.event_view partition of proof.event for values in ('view');
  create table proof.event_click partition of proof.event for values in ('click');
  create table proof.event_other partition of proof.event default;
  create index on proof.event (region, code);
  create table proof.node (
    id bigint primary key,
    parent_id bigint references proof.node on delete cascade,
    kind text not null,
    child_count bigint not null default 0,
    grandchild_count bigint not null default 0
  );
  create index on proof.node (parent_id);
`;

const PROOF_DECLARATIONS = `
  select millrace.counter('proof.shop.item_count', 'proof.item', '{region,code}', $$state = 'listed'$$);
  select millrace.counter('proof.shop.stock_total', 'proof.item', '{region,code}', value => 'quantity');
  select millrace.counter('proof.shop.value_total', 'proof.item', '{region,code}',
    value => 'quantity * price');
  select millrace.counter('proof.shop.sold_total', 'proof.sale', '{via.region,via.code}',
    $$not source.cancelled and via.state = 'listed'$$, value => 'source.amount', through => 'proof.item');
  select millrace.counter('proof.shop.buyer_count', 'proof.sale', '{via.region,via.code}',
    $$not source.cancelled and via.state = 'listed'$$, through => 'proof.item',
    distinct_on => '{source.buyer}');
  select millrace.counter('proof.shop.event_weight', 'proof.event', '{region,code}', 'weight < 8',
    value => 'weight');
  select millrace.counter('proof.region.stock_total', 'proof.shop', '{region}', value => 'stock_total');
  select millrace.counter('proof.region.busy_count', 'proof.shop', '{region}', 'item_count > 2');
  select millrace.counter('proof.label.use_count', 'proof.tagging', '{label}', 'weight > 0');
  select millrace.counter('proof.label.item_count', 'proof.tagging', '{label}',
    distinct_on => '{item_id}');
  select millrace.counter('proof.node.child_count', 'proof.node', '{parent_id}', $$kind <> 'ghost'$$);
  select millrace.counter('proof.node.grandchild_count', 'proof.node', '{via.parent_id}',
    $$source.kind = 'leaf'$$, through => 'proof.node');
`;

/** Accounts, conversations and opinions with the ids that histories and scenarios use. */
export const DELIBERATION_ROWS = `
  insert into app_public.account (id, display_name) overriding system value
    select a, 'Account ' || a from generate_series(1, ${SIZE.accounts}) a;
  insert into app_private.account_role (account_id, role)
    select a, 'moderator' from generate_series(1, ${SIZE.moderators}) a;
  insert into app_public.conversation (id, owner_id, topic) overriding system value
    select c, c, 'Conversation ' || c from generate_series(1, ${SIZE.conversations}) c;
  insert into app_public.opinion (id, conversation_id, author_id, content) overriding system value
    select o, o % ${SIZE.conversations} + 1, o, 'Opinion ' || o
    from generate_series(1, ${SIZE.opinions}) o;
`;

const PROOF_ROWS = `
  insert into proof.region (name) values ${REGIONS.map((name) => `('${name.replace("'", "''")}')`)};
  insert into proof.shop (region, code) values ${range(SIZE.shops).map((shop) => `(${shopKey(shop)})`)};
  insert into proof.item (id, region, code, state, quantity, price) values ${range(SIZE.items).map(
    (item) => `(${item}, ${shopKey(item % SIZE.shops)}, 'listed', ${item % 7}, ${item % 5}.25)`,
  )};
  insert into proof.label (name) select 'label ' || l from generate_series(1, ${SIZE.labels}, 2) l;
  insert into proof.node (id, parent_id, kind)
    select n, nullif(n / 3, 0), case n % 3 when 0 then 'leaf' else 'branch' end
    from generate_series(1, ${SIZE.nodes}) n;
`;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Makes this test's schema, its declarations and all rows in a database that is migrated. */
export async function createWorld(client: pg.ClientBase): Promise<void> {
  await client.query(PROOF_SCHEMA);
  await client.query(PROOF_DECLARATIONS);
  await client.query(RELATIONS_SCHEMA);
  await client.query(RELATIONS_DECLARATIONS);
  await client.query(DELIBERATION_ROWS);
  await client.query(PROOF_ROWS);
}

/** Takes the engine away, with its triggers and all: for the same history without it. */
export async function dropEngine(client: pg.ClientBase): Promise<void> {
  await client.query('drop schema millrace_log, millrace cascade');
}
