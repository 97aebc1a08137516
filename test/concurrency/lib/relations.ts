/*
 * The derived relations and reactions of the world, over the tables of schema proof: joins, outer
 * joins, aggregates with filter, a window partitioned by the key, a lateral subquery with a limit, a
 * CTE; keys of one column and of two; direct keys and mapping queries of one and of two steps; both
 * strategies over one definition; relations that read a derived relation, a counter, a materialized
 * view. Each with the rows that it has to hold, written independently of its definition.
 */

export type Strategy = 'incremental' | 'refresh';

/** A definition has two editions, so that a declaration can change it; column edition says which. */
export type Edition = 1 | 2;

export const EDITIONS: readonly Edition[] = [1, 2];

export interface Relation {
  /** schema.relation */
  name: string;
  key: string[];
  strategy: Strategy;
  /** Every column but edition, which `versioned` relations have too. */
  columns: string[];
  versioned: boolean;
  /** The keys that it may hold, as SQL. */
  keys: string;
  /** The rows that it has to hold, as SQL, given what it reads. */
  truth(edition: Edition): string;
}

/** A reaction, and what its task leaves behind: one row for each key that changed. */
export interface Reaction {
  name: string;
  task: string;
  /** Rows that the task has written and, written independently, what they have to be. */
  noted: string;
  truth: string;
}

const OF_ITEM = '(i.region, i.code) = (s.region, s.code)';
const OF_SHOP = 'from proof.item i where (i.region, i.code) = (s.region, s.code)';
const SOLD = `from proof.sale x join proof.item i on i.id = x.item_id
  where (i.region, i.code) = (s.region, s.code)`;

/** What counts as listed: the editions of a definition differ in it. */
const listed = (edition: Edition) => (edition === 1 ? "= 'listed'" : "<> 'listed'");

const SHEET_COLUMNS = ['region', 'code', 'note', 'items', 'listed', 'stock', 'revenue', 'best'];

const sheetTruth = (edition: Edition) => `
  select s.region, s.code, s.note,
    (select count(*) ${OF_SHOP}) as items,
    (select count(*) ${OF_SHOP} and i.state ${listed(edition)}) as listed,
    (select coalesce(sum(i.quantity), 0) ${OF_SHOP}) as stock,
    (select coalesce(sum(x.amount), 0) ${SOLD} and not x.cancelled) as revenue,
    (select (array_agg(i.id order by i.quantity desc, i.id))[1] ${OF_SHOP}) as best,
    ${edition} as edition
  from proof.shop s`;

const cardTruth = (edition: Edition) => `
  select b.buyer,
    (select count(*) from proof.sale x where x.buyer = b.buyer) as sales,
    (select coalesce(sum(x.amount), 0) from proof.sale x
      where x.buyer = b.buyer and not x.cancelled) as total,
    (select count(*) from proof.sale x where x.buyer = b.buyer and x.item_id in (
      select i.id from proof.item i where i.state ${listed(edition)})) as listed,
    (select array_agg(n.note order by n.note) from (
      select distinct s.note from proof.shop s where s.note is not null and exists (
        select from proof.item i join proof.sale x on x.item_id = i.id
        where ${OF_ITEM} and x.buyer = b.buyer)
    ) n) as notes,
    ${edition} as edition
  from (select distinct buyer from proof.sale) b`;

const KEYS = {
  shop: 'select region, code from proof.shop',
  region: 'select name as region from proof.region',
  buyer: `select 'buyer ' || b as buyer from generate_series(1, 8) b`,
};

const SHEET: Relation = {
  name: 'proof.shop_sheet',
  key: ['region', 'code'],
  strategy: 'incremental',
  columns: SHEET_COLUMNS,
  versioned: true,
  keys: KEYS.shop,
  truth: sheetTruth,
};

const CARD: Relation = {
  name: 'proof.buyer_card',
  key: ['buyer'],
  strategy: 'incremental',
  columns: ['buyer', 'sales', 'total', 'listed', 'notes'],
  versioned: true,
  keys: KEYS.buyer,
  truth: cardTruth,
};

const SHEETS_OF_REGION = `from proof.shop_sheet x where x.region = r.name
  and exists (select from proof.shop s where (s.region, s.code) = (x.region, x.code))`;

export const RELATIONS: Relation[] = [
  SHEET,
  {
    name: 'proof.shop_best',
    key: ['region', 'code'],
    strategy: 'incremental',
    columns: ['region', 'code', 'item_id', 'quantity', 'total'],
    versioned: false,
    keys: KEYS.shop,
    truth: () => `
      select s.region, s.code, i.id as item_id, i.quantity,
        (select sum(j.quantity) from proof.item j where (j.region, j.code) = (s.region, s.code))
          as total
      from proof.shop s join proof.item i on ${OF_ITEM}
      where not exists (
        select from proof.item j where (j.region, j.code) = (s.region, s.code)
          and (-j.quantity, j.id) < (-i.quantity, i.id))`,
  },
  CARD,
  {
    name: 'proof.region_sheet',
    key: ['region'],
    strategy: 'incremental',
    columns: ['region', 'shops', 'revenue', 'stock_total', 'items'],
    versioned: false,
    keys: KEYS.region,
    truth: () => `
      select r.name as region, (select count(*) ${SHEETS_OF_REGION}) as shops,
        (select coalesce(sum(x.revenue), 0) ${SHEETS_OF_REGION}) as revenue, r.stock_total,
        (select coalesce(sum(s.item_count), 0) from proof.shop s where s.region = r.name) as items
      from proof.region r`,
  },
  { ...SHEET, name: 'proof.shop_view', strategy: 'refresh' },
  {
    name: 'proof.region_view',
    key: ['region'],
    strategy: 'refresh',
    columns: ['region', 'shops', 'revenue'],
    versioned: false,
    keys: KEYS.region,
    truth: () => `
      select r.region,
        (select count(*) from proof.shop_view v where v.region = r.region) as shops,
        (select sum(v.revenue) from proof.shop_view v where v.region = r.region) as revenue
      from (select distinct region from proof.shop_view) r`,
  },
];

export const REACTIONS: Reaction[] = [
  {
    name: 'proof_item_sold',
    task: 'proof_note_item',
    noted: 'select item_id, sales, total from proof.noted_item',
    // An item that nobody ever bought is noted nowhere; one that was, and is no more, with zero.
    truth: `select n.item_id,
        (select count(*) from proof.sale x where x.item_id = n.item_id) as sales,
        (select coalesce(sum(x.amount), 0) from proof.sale x
          where x.item_id = n.item_id and not x.cancelled) as total
      from (select item_id from proof.sale union select item_id from proof.noted_item) n`,
  },
  {
    name: 'proof_shop_listed',
    task: 'proof_note_shop',
    noted: 'select region, code, listed, stock from proof.noted_shop',
    truth: `select n.region, n.code, count(i.id) as listed, coalesce(sum(i.quantity), 0) as stock
      from (
        select region, code from proof.item where state = 'listed'
        union select region, code from proof.noted_shop
      ) n
      left join proof.item i on (i.region, i.code) = (n.region, n.code) and i.state = 'listed'
      group by n.region, n.code`,
  },
];

/** The view that defines the sheet of a shop. */
export const sheetDefinition = (edition: Edition) => `
  create or replace view proof.shop_sheet_definition as
  with sold as (
    select i.region, i.code, sum(x.amount) filter (where not x.cancelled) as revenue
    from proof.item i
    join proof.sale x on x.item_id = i.id
    group by i.region, i.code
  )
  select s.region, s.code, s.note,
    count(i.id) as items,
    count(i.id) filter (where i.state ${listed(edition)}) as listed,
    coalesce(sum(i.quantity), 0) as stock,
    coalesce(max(d.revenue), 0) as revenue,
    max(best.id) as best,
    ${edition} as edition
  from proof.shop s
  left join proof.item i on ${OF_ITEM}
  left join sold d on (d.region, d.code) = (s.region, s.code)
  left join lateral (
    select b.id from proof.item b where (b.region, b.code) = (s.region, s.code)
    order by b.quantity desc, b.id limit 1
  ) best on true
  group by s.region, s.code, s.note`;

/** The view that defines the card of a buyer. */
export const cardDefinition = (edition: Edition) => `
  create or replace view proof.buyer_card_definition as
  select x.buyer, count(*) as sales,
    coalesce(sum(x.amount) filter (where not x.cancelled), 0) as total,
    count(*) filter (where i.state ${listed(edition)}) as listed,
    array_agg(distinct s.note order by s.note) filter (where s.note is not null) as notes,
    ${edition} as edition
  from proof.sale x
  join proof.item i on i.id = x.item_id
  join proof.shop s on ${OF_ITEM}
  group by x.buyer`;

const WAITS = "debounce => '40 ms', max_wait => '400 ms'";

/** Declares the sheet of a shop; `waits` when other than usual. */
export const sheetCall = (waits = WAITS) => `select millrace.materialize('proof.shop_sheet',
  'proof.shop_sheet_definition', '{region,code}', sources => $$ {
    "proof.shop": ["region", "code"],
    "proof.item": ["region", "code"],
    "proof.sale": "select i.region, i.code from proof.item i join changed on changed.item_id = i.id"
  } $$, ${waits})`;

export const SHEET_CALL = sheetCall();

export const SHOP_VIEW_CALL = `select millrace.materialize('proof.shop_view',
  'proof.shop_sheet_definition', '{region,code}', 'refresh', ${WAITS})`;

/** The word strategy is all that tells them apart, and what only the one needs. */
export const cardCall = (strategy: Strategy) => `select millrace.materialize('proof.buyer_card',
  'proof.buyer_card_definition', '{buyer}', strategy => '${strategy}', sources => ${
    strategy === 'refresh'
      ? 'null'
      : `$$ {
    "proof.sale": "buyer",
    "proof.item": "select x.buyer from proof.sale x join changed on x.item_id = changed.id",
    "proof.shop": "select x.buyer from proof.sale x join proof.item i on i.id = x.item_id
      join changed on (i.region, i.code) = (changed.region, changed.code)"
  } $$`.replaceAll(/\s*\n\s*/g, ' ')
  }, ${WAITS})`;

/** Who holds this advisory lock holds the tasks of the reactions. */
export const TASK_LOCK = 471103;

/** Indexes that the definitions want, and what the tasks of the reactions write. */
export const RELATIONS_SCHEMA = `
  create index on proof.sale (buyer);
  create table proof.noted_item (
    item_id bigint primary key, sales bigint not null, total numeric not null, runs integer not null
  );
  create table proof.noted_shop (
    region text, code uuid, listed bigint not null, stock bigint not null, runs integer not null,
    primary key (region, code)
  );
  create table proof.overlap (task text not null, key jsonb not null);
  ${sheetDefinition(1)};
  ${cardDefinition(1)};
  create view proof.shop_best_definition as
  select x.region, x.code, x.id as item_id, x.quantity, x.total
  from (
    select i.region, i.code, i.id, i.quantity,
      row_number() over (partition by i.region, i.code order by i.quantity desc, i.id) as place,
      sum(i.quantity) over (partition by i.region, i.code) as total
    from proof.item i
  ) x
  where x.place = 1;

  /* Read in one statement, written in the next: a run beside it would show as an overlap. */
  create procedure proof.note_item(payload jsonb) language plpgsql as $$
  declare
    v_key constant bigint := payload ->> 'item_id';
    v_noted record;
  begin
    if not pg_try_advisory_xact_lock(471101, v_key::integer) then
      insert into proof.overlap values ('proof_note_item', payload);
      return;
    end if;
    select count(*) as sales, coalesce(sum(x.amount) filter (where not x.cancelled), 0) as total
      into v_noted from proof.sale x where x.item_id = v_key;
    perform proof.wait_in_task();
    insert into proof.noted_item as n values (v_key, v_noted.sales, v_noted.total, 1)
      on conflict (item_id) do update
      set sales = excluded.sales, total = excluded.total, runs = n.runs + 1;
  end $$;
  create procedure proof.note_shop(payload jsonb) language plpgsql as $$
  declare
    v_lock constant integer := hashtext(payload::text);
    v_noted record;
  begin
    if not pg_try_advisory_xact_lock(471102, v_lock) then
      insert into proof.overlap values ('proof_note_shop', payload);
      return;
    end if;
    select count(*) as listed, coalesce(sum(i.quantity), 0) as stock into v_noted
      from proof.item i where i.state = 'listed' and i.region = payload ->> 'region'
        and i.code = (payload ->> 'code')::uuid;
    perform proof.wait_in_task();
    insert into proof.noted_shop as n values (payload ->> 'region', (payload ->> 'code')::uuid,
        v_noted.listed, v_noted.stock, 1)
      on conflict (region, code) do update
      set listed = excluded.listed, stock = excluded.stock, runs = n.runs + 1;
  end $$;
  /* The same without a lock, for a task that runs in a transaction of its own. */
  create function proof.note_item_work(payload jsonb) returns void language sql as $$
    insert into proof.noted_item as n
    select (payload ->> 'item_id')::bigint, count(x.id),
      coalesce(sum(x.amount) filter (where not x.cancelled), 0), 1
    from (values ((payload ->> 'item_id')::bigint)) k (item_id)
    left join proof.sale x on x.item_id = k.item_id
    on conflict (item_id) do update
    set sales = excluded.sales, total = excluded.total, runs = n.runs + 1
  $$;
  /* Where a test wants to hold tasks between reading and writing, it takes this lock. */
  create function proof.wait_in_task() returns void language plpgsql as $$
  begin
    perform pg_advisory_xact_lock_shared(${TASK_LOCK});
  end $$;
`;

export const RELATIONS_DECLARATIONS = `
  ${SHEET_CALL};
  select millrace.materialize('proof.shop_best', 'proof.shop_best_definition', '{region,code}',
    sources => '{"proof.item": ["region", "code"]}', ${WAITS});
  ${cardCall('incremental')};
  create view proof.region_sheet_definition as
  select r.name as region, count(x.code) as shops, coalesce(sum(x.revenue), 0) as revenue,
    r.stock_total, coalesce(sum(s.item_count), 0) as items
  from proof.region r
  left join proof.shop s on s.region = r.name
  left join proof.shop_sheet x on (x.region, x.code) = (s.region, s.code)
  group by r.name, r.stock_total;
  select millrace.materialize('proof.region_sheet', 'proof.region_sheet_definition', '{region}',
    sources => '{"proof.region": "name", "proof.shop": "region", "proof.shop_sheet": "region"}',
    ${WAITS});
  ${SHOP_VIEW_CALL};
  create view proof.region_view_definition as
  select v.region, count(*) as shops, sum(v.revenue) as revenue
  from proof.shop_view v group by v.region;
  select millrace.materialize('proof.region_view', 'proof.region_view_definition', '{region}',
    'refresh', ${WAITS});
  select millrace.react('proof_item_sold', 'proof.sale', '{item_id}', 'proof_note_item', ${WAITS});
  select millrace.react('proof_shop_listed', 'proof.item', '{region,code}', 'proof_note_shop',
    filter => $$state = 'listed'$$, ${WAITS});
`;
