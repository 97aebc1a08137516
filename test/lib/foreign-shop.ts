import type pg from 'pg';

/*
 * A shop as somebody else might have built it: a schema and names with capitals, blanks and reserved
 * words, composite keys, uuid, enum and text keys with a collation, a domain, a partitioned table
 * that others refer to, row level security, rights that are handed out by default, an application
 * role with a search_path of its own.
 */

/** How many rows a shop of `rows` rows in all has of each kind. */
export function shopSize(rows: number) {
  return {
    tenants: 5,
    customers: Math.ceil(rows * 0.04),
    products: Math.ceil(rows * 0.01),
    orders: Math.ceil(rows * 0.3),
    items: Math.ceil(rows * 0.65),
  };
}

export type ShopSize = ReturnType<typeof shopSize>;

/** The id of a tenant, from 1. */
export const tenantId = (tenant: number) =>
  `00000000-0000-4000-8000-${tenant.toString().padStart(12, '0')}`;

/** Which tenant an order or a customer belongs to, by its number. */
export const tenantOf = (no: number, { tenants }: ShopSize) => (no % tenants) + 1;

/** The customer of an order as it is first placed: one of the same tenant. */
export const customerOf = (orderNo: number, { tenants, customers }: ShopSize) =>
  (((orderNo * 7) % Math.floor(customers / tenants)) * tenants + (orderNo % tenants)) % customers;

const TABLES = `
  create schema "Shop";
  create type "Shop"."Order State" as enum ('new', 'Paid', 'shipped', 'cancelled');
  create domain "Shop"."Amount" as numeric(12,2) check (value >= 0);
  create table "Shop"."Tenant" (id uuid primary key, "Name" text not null);
  create table "Shop"."Customer" (
    "tenantId" uuid not null,
    "no" integer not null,
    "E-Mail" text collate "C" not null,
    "orderCount" bigint not null default 0,
    spent numeric not null default 0,
    primary key ("tenantId", "no")
  ) with (fillfactor = 80);
  create table "Shop"."Product" (
    "SKU" varchar(40) collate "C" primary key,
    "Title" text not null,
    "sold Count" bigint not null default 0,
    "buyerCount" bigint not null default 0
  );
  create table "Shop"."state summary" (
    "select" "Shop"."Order State" primary key,
    "from" bigint not null default 0
  );
  create table "Shop"."Order" (
    "tenantId" uuid not null,
    "orderNo" bigint not null,
    "placedAt" date not null,
    "customerNo" integer not null,
    "user" "Shop"."Order State" not null default 'new',
    total "Shop"."Amount" not null default 0,
    primary key ("tenantId", "orderNo", "placedAt")
  ) partition by range ("placedAt");
  create table "Shop"."Order 2026-01" partition of "Shop"."Order"
    for values from ('2026-01-01') to ('2026-02-01');
  create table "Shop"."Order 2026-02" partition of "Shop"."Order"
    for values from ('2026-02-01') to ('2026-03-01');
  create table "Shop"."Order rest" partition of "Shop"."Order" default;
  create table "Shop"."order item" (
    "tenantId" uuid not null,
    "orderNo" bigint not null,
    "placedAt" date not null,
    "line" smallint not null,
    "SKU" varchar(40) collate "C" not null,
    "group" integer not null,
    primary key ("tenantId", "orderNo", "line")
  );
  comment on table "Shop"."Customer" is 'Who buys';
  comment on column "Shop"."Customer"."orderCount" is 'Orders that were not cancelled';`;

const rows = (size: ShopSize) => `
  insert into "Shop"."Tenant"
    select ('00000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid, 'Tenant ' || t
    from generate_series(1, ${size.tenants}) t;
  insert into "Shop"."Customer" ("tenantId", "no", "E-Mail")
    select ('00000000-0000-4000-8000-' || lpad((n % ${size.tenants} + 1)::text, 12, '0'))::uuid,
      n, 'Customer' || n || '@Example.org'
    from generate_series(0, ${size.customers - 1}) n;
  insert into "Shop"."Product" ("SKU", "Title")
    select 'SKU-' || n, 'Product ' || n from generate_series(0, ${size.products - 1}) n;
  insert into "Shop"."state summary" ("select") select unnest(enum_range(null::"Shop"."Order State"));
  insert into "Shop"."Order"
    select ('00000000-0000-4000-8000-' || lpad((n % ${size.tenants} + 1)::text, 12, '0'))::uuid,
      n, date '2026-01-01' + n % 90,
      ((n * 7) % ${Math.floor(size.customers / size.tenants)} * ${size.tenants}
        + n % ${size.tenants}) % ${size.customers},
      (array['new', 'Paid', 'shipped', 'cancelled'])[n % 4 + 1]::"Shop"."Order State",
      (n % 500) + 0.25
    from generate_series(0, ${size.orders - 1}) n;
  insert into "Shop"."order item"
    select "tenantId", "orderNo", "placedAt", line,
      'SKU-' || ("orderNo" * 31 + line * 17) % ${size.products}, line + "orderNo" % 3
    from "Shop"."Order"
    cross join generate_series(1, ${Math.ceil(size.items / size.orders)}) line
    where line <= ${Math.floor(size.items / size.orders)}
      or "orderNo" % 1000 < ${Math.round((size.items / size.orders - Math.floor(size.items / size.orders)) * 1000)};`;

const CONSTRAINTS = `
  alter table "Shop"."Customer"
    add constraint "Customer of tenant" foreign key ("tenantId") references "Shop"."Tenant";
  create index "Order of customer" on "Shop"."Order" ("tenantId", "customerNo");
  create index "Order by state" on "Shop"."Order" ("user");
  alter table "Shop"."Order" add foreign key ("tenantId", "customerNo")
    references "Shop"."Customer" on delete cascade;
  create index "item of product" on "Shop"."order item" ("SKU");
  create index "item of order" on "Shop"."order item" ("tenantId", "orderNo", "placedAt");
  alter table "Shop"."order item" add foreign key ("tenantId", "orderNo", "placedAt")
    references "Shop"."Order" on delete cascade;
  alter table "Shop"."order item" add foreign key ("SKU") references "Shop"."Product";
  create view "Shop"."Customer report" as
    select c."tenantId", c."no", c."E-Mail",
      count(o."orderNo") as orders,
      coalesce(sum(o.total) filter (where o."user" <> 'cancelled'), 0)::numeric as turnover,
      max(o."placedAt") as "last Order"
    from "Shop"."Customer" c
    left join "Shop"."Order" o on o."tenantId" = c."tenantId" and o."customerNo" = c."no"
    group by c."tenantId", c."no", c."E-Mail";
  create view "Shop"."Day report" as
    select o."placedAt" as "day", o."user" as state, count(*) as orders, sum(o.total) as turnover
    from "Shop"."Order" o
    group by o."placedAt", o."user";`;

/** The application's rights: it writes, under row level security that lets it see everything. */
const rights = (app: string) => `
  alter table "Shop"."Customer" enable row level security;
  create policy "the application sees all" on "Shop"."Customer" to ${app} using (true);
  grant usage on schema "Shop" to ${app};
  grant select, insert, update, delete on all tables in schema "Shop" to ${app};
  alter default privileges grant select on tables to ${app};
  alter default privileges grant execute on functions to ${app};
  alter default privileges grant usage on schemas to ${app};`;

/** Builds the shop, as the role that is connected; `app` is the role that its application uses. */
export async function buildShop(client: pg.ClientBase, size: ShopSize, app: string): Promise<void> {
  const { rows: quoted } = await client.query<{ name: string }>('select quote_ident($1) as name', [
    app,
  ]);
  const role = quoted[0]?.name as string;
  for (const part of [TABLES, rows(size), CONSTRAINTS, rights(role)]) await client.query(part);
}

/** Lets vacuum and analyze have been there, as in a database that has run for a while. */
export const SETTLE_SHOP = `vacuum (analyze) "Shop"."Customer", "Shop"."Product", "Shop"."Order",
  "Shop"."order item"`;

/** A counter on the shop: its declaration, and a recount written by hand. */
export interface ShopCounter {
  name: string;
  declaration: string;
  /** Rows with `stored`, `exact` and `truth`; the target is `t`, what is counted `n`. */
  recount: string;
  /** A condition that picks a part of the target's rows: `$1` of 0 to 99. */
  part: string;
}

export const SHOP_COUNTERS: ShopCounter[] = [
  {
    name: 'Shop.Customer.orderCount',
    declaration: `select millrace.counter('"Shop"."Customer"."orderCount"',
      source => '"Shop"."Order"', key => '{tenantId,customerNo}',
      filter => $$"user" <> 'cancelled'$$)`,
    recount: `
      select t."orderCount" as stored, "Shop"."Customer_orderCount"(t) as exact,
        coalesce(n.n, 0) as truth
      from "Shop"."Customer" t
      left join (
        select "tenantId", "customerNo", count(*) as n from "Shop"."Order"
        where "user" <> 'cancelled' group by 1, 2
      ) n on n."tenantId" = t."tenantId" and n."customerNo" = t."no"`,
    part: 't."no" % 100 = $1',
  },
  {
    name: 'Shop.Customer.spent',
    declaration: `select millrace.counter('"Shop"."Customer".spent',
      source => '"Shop"."Order"', key => '{tenantId,customerNo}',
      filter => $$"user" in ('Paid', 'shipped')$$, value => 'total::numeric')`,
    recount: `
      select t.spent as stored, "Shop"."Customer_spent"(t) as exact, coalesce(n.n, 0) as truth
      from "Shop"."Customer" t
      left join (
        select "tenantId", "customerNo", sum(total) as n from "Shop"."Order"
        where "user" in ('Paid', 'shipped') group by 1, 2
      ) n on n."tenantId" = t."tenantId" and n."customerNo" = t."no"`,
    part: 't."no" % 100 = $1',
  },
  {
    name: 'Shop.state summary.from',
    declaration: `select millrace.counter('"Shop"."state summary"."from"',
      source => '"Shop"."Order"', key => '{user}')`,
    recount: `
      select t."from" as stored, "Shop"."state summary_from"(t) as exact, coalesce(n.n, 0) as truth
      from "Shop"."state summary" t
      left join (select "user", count(*) as n from "Shop"."Order" group by 1) n
        on n."user" = t."select"`,
    part: '$1 >= 0',
  },
  {
    name: 'Shop.Product.sold Count',
    declaration: `select millrace.counter('"Shop"."Product"."sold Count"',
      source => '"Shop"."order item"', key => '{SKU}', value => '"group"',
      through => '"Shop"."Order"', filter => $$via."user" in ('Paid', 'shipped')$$)`,
    recount: `
      select t."sold Count" as stored, "Shop"."Product_sold Count"(t) as exact,
        coalesce(n.n, 0) as truth
      from "Shop"."Product" t
      left join (
        select i."SKU", sum(i."group") as n
        from "Shop"."order item" i
        join "Shop"."Order" o using ("tenantId", "orderNo", "placedAt")
        where o."user" in ('Paid', 'shipped') group by 1
      ) n on n."SKU" = t."SKU"`,
    part: `split_part(t."SKU", '-', 2)::integer % 100 = $1`,
  },
  {
    name: 'Shop.Product.buyerCount',
    declaration: `select millrace.counter('"Shop"."Product"."buyerCount"',
      source => '"Shop"."order item"', key => '{SKU}', through => '"Shop"."Order"',
      filter => $$via."user" <> 'cancelled'$$, distinct_on => '{via.tenantId,via.customerNo}')`,
    recount: `
      select t."buyerCount" as stored, "Shop"."Product_buyerCount"(t) as exact,
        coalesce(n.n, 0) as truth
      from "Shop"."Product" t
      left join (
        select i."SKU", count(distinct (o."tenantId", o."customerNo")) as n
        from "Shop"."order item" i
        join "Shop"."Order" o using ("tenantId", "orderNo", "placedAt")
        where o."user" <> 'cancelled' group by 1
      ) n on n."SKU" = t."SKU"`,
    part: `split_part(t."SKU", '-', 2)::integer % 100 = $1`,
  },
];

/** A derived relation on the shop, and what of it differs from its definition. */
export interface ShopRelation {
  name: string;
  declaration: string;
  /** What has to be equal, both ways: stored rows and the definition's. */
  stored: string;
  definition: string;
  /** The live view, if there is one. */
  live: string | null;
}

export const SHOP_RELATIONS: ShopRelation[] = [
  {
    name: 'Shop.Customer overview',
    declaration: `select millrace.materialize('"Shop"."Customer overview"',
      definition => '"Shop"."Customer report"', key => '{tenantId,no}',
      sources => '{"\\"Shop\\".\\"Customer\\"": ["tenantId", "no"],
        "\\"Shop\\".\\"Order\\"": ["tenantId", "customerNo"]}')`,
    stored: '"Shop"."Customer overview"',
    definition: '"Shop"."Customer report"',
    live: '"Shop"."Customer overview_live"',
  },
  {
    name: 'Shop.Day overview',
    declaration: `select millrace.materialize('"Shop"."Day overview"',
      definition => '"Shop"."Day report"', key => '{day,state}', strategy => 'refresh')`,
    stored: '"Shop"."Day overview"',
    definition: '"Shop"."Day report"',
    live: null,
  },
];

export const SHOP_REACTION = {
  name: 'customer_mail',
  declaration: `select millrace.react('customer_mail', source => '"Shop"."Order"',
    key => '{tenantId,customerNo}', task => 'customer_mail', min_interval => '2 seconds',
    filter => $$"user" = 'shipped'$$)`,
};

/** The rows of a counter's target whose value is not what a recount gives: all, or a part. */
export async function wrongValues(
  client: pg.ClientBase,
  counter: ShopCounter,
  value: 'stored' | 'exact',
  part?: number,
): Promise<unknown[]> {
  const text = `select * from (${counter.recount}
    ${part === undefined ? '' : `where ${counter.part}`}
  ) as compared where ${value} is distinct from truth`;
  const { rows } = await client.query(text, part === undefined ? [] : [part]);
  return rows;
}

/** The rows that a derived relation has and should not have, or should have and has not. */
export async function wrongRows(
  client: pg.ClientBase,
  { definition }: ShopRelation,
  relation: string,
): Promise<unknown[]> {
  const { rows } = await client.query(
    `(select 'too much' as fault, * from (table ${relation} except all table ${definition}) a)
    union all
    (select 'missing', * from (table ${definition} except all table ${relation}) b)`,
  );
  return rows;
}
