import type pg from 'pg';
import type { Random } from '../../concurrency/lib/random.ts';
import { customerOf, type ShopSize, tenantId, tenantOf } from '../../lib/foreign-shop.ts';

/*
 * The application of the foreign shop: some connections that place, change and delete orders, each
 * its own, so that they never wait for each other by themselves; whoever waits, waits for the engine.
 * Half of the transactions write a counter's target first and its source afterwards, the others the
 * other way round; some dawdle, some roll back.
 */

export interface ShopWriters {
  /** Names the time from now on. */
  phase(name: string): Phase;
  /** Resolves when so many more transactions have committed; rejects when a writer failed. */
  committed(transactions: number): Promise<void>;
  /** Lets the transactions under way end. */
  stop(): Promise<void>;
  /** When each customer's order was last about to be committed as shipped, by `tenant/no`. */
  shipped: Map<string, number>;
}

export interface Phase {
  name: string;
  /** Transactions committed. */
  transactions: number;
  rolledBack: number;
  /** Milliseconds of the phase. */
  duration: number;
  /** Milliseconds of each statement. */
  statements: number[];
  /** The statement that took longest. */
  slowest: { ms: number; text: string };
}

export interface WriterOptions {
  connect(): Promise<pg.Client>;
  writers: number;
  size: ShopSize;
  random: Random;
  /** The first order number that is free. */
  firstOrder: number;
}

/** Starts the writers, which go on until they are stopped or one fails. */
export async function startWriters(options: WriterOptions): Promise<ShopWriters> {
  const { size, random } = options;
  const shipped = new Map<string, number>();
  const watchers = new Set<() => void>();
  let total = 0;
  let stopping = false;
  let failure: unknown = null;
  let current = newPhase('start');
  let began = performance.now();

  function newPhase(name: string): Phase {
    return {
      name,
      transactions: 0,
      rolledBack: 0,
      duration: 0,
      statements: [],
      slowest: { ms: 0, text: '' },
    };
  }

  const clients = await Promise.all(
    Array.from({ length: options.writers }, () => options.connect()),
  );
  const running = Promise.all(
    clients.map((client, index) =>
      write(client, index, random.fork(`writer ${index}`)).catch((error: unknown) => {
        failure ??= error;
        stopping = true;
        for (const look of watchers) look();
      }),
    ),
  );

  async function write(client: pg.Client, index: number, random: Random): Promise<void> {
    const gone = new Set<number>();
    let next = options.firstOrder + index;

    /** Returns how many rows it wrote. */
    async function run(text: string, values: unknown[] = []): Promise<number> {
      const phase = current;
      const started = performance.now();
      try {
        return (await client.query({ text, values })).rowCount ?? 0;
      } finally {
        const ms = performance.now() - started;
        phase.statements.push(ms);
        if (ms > phase.slowest.ms) phase.slowest = { ms, text };
      }
    }

    /** An order of this writer's own that is there, as its primary key. */
    function own(): [string, number, string] {
      for (;;) {
        const orders = Math.ceil((next - index) / options.writers);
        // The newest are changed most.
        const back = Math.floor(orders * random.next() ** 3);
        const no = index + (orders - 1 - back) * options.writers;
        if (no >= 0 && !gone.has(no)) return key(no);
      }
    }
    const key = (no: number): [string, number, string] => [
      tenantId(tenantOf(no, size)),
      no,
      new Date(Date.UTC(2026, 0, 1 + (no % 90))).toISOString().slice(0, 10),
    ];
    const sku = () => `SKU-${random.between(0, size.products - 1)}`;
    const sameTenant = (no: number) =>
      random.between(0, Math.floor(size.customers / size.tenants) - 1) * size.tenants +
      (no % size.tenants);
    const target = async () => {
      const no = random.between(0, Math.floor(size.customers / options.writers) - 1);
      const mine = no * options.writers + index;
      await run(`update "Shop"."Customer" set "E-Mail" = $3 where "tenantId" = $1 and "no" = $2`, [
        tenantId(tenantOf(mine, size)),
        mine,
        `c${random.between(1, 1e9)}@example.org`,
      ]);
    };

    async function place(orders: number): Promise<void> {
      const placed = Array.from({ length: orders }, () => {
        next += options.writers;
        return next - options.writers;
      });
      await run(
        `insert into "Shop"."Order" ("tenantId", "orderNo", "placedAt", "customerNo", "user", total)
        select t.tenant, t.no, t.at, t.customer, 'Paid', t.no % 100
        from unnest($1::uuid[], $2::bigint[], $3::date[], $4::integer[]) t(tenant, no, at, customer)`,
        [
          placed.map((no) => key(no)[0]),
          placed,
          placed.map((no) => key(no)[2]),
          placed.map((no) => customerOf(no, size)),
        ],
      );
      await run(
        `insert into "Shop"."order item"
        select t.tenant, t.no, t.at, l.line, t.sku, l.line
        from unnest($1::uuid[], $2::bigint[], $3::date[], $4::text[]) t(tenant, no, at, sku)
        cross join generate_series(1, 2) l(line)`,
        [
          placed.map((no) => key(no)[0]),
          placed,
          placed.map((no) => key(no)[2]),
          placed.map(() => sku()),
        ],
      );
    }

    const WHERE = 'where "tenantId" = $1 and "orderNo" = $2 and "placedAt" = $3';
    const operations: { weight: number; work: () => Promise<unknown> }[] = [
      { weight: 30, work: () => place(1) },
      { weight: 1, work: () => place(random.between(20, 60)) },
      {
        weight: 20,
        work: () =>
          run(`update "Shop"."Order" set "user" = $4, total = $5 ${WHERE}`, [
            ...own(),
            random.pick(['new', 'Paid', 'Paid', 'cancelled']),
            random.between(1, 50_000) / 100,
          ]),
      },
      {
        weight: 4,
        work: async () => {
          const [tenant, no, at] = own();
          const customer = sameTenant(no);
          const written = await run(
            `update "Shop"."Order" set "user" = 'shipped', "customerNo" = $4 ${WHERE}
              and ("user", "customerNo") is distinct from ('shipped', $4)`,
            [tenant, no, at, customer],
          );
          if (written > 0) pendingShipment = `${tenant}/${customer}`;
        },
      },
      {
        weight: 10,
        work: () =>
          run(
            `update "Shop"."order item" set "group" = $3, "SKU" = $4
            where "tenantId" = $1 and "orderNo" = $2 and line = 1`,
            [...own().slice(0, 2), random.between(1, 9), sku()],
          ),
      },
      {
        weight: 6,
        work: () =>
          run(
            `delete from "Shop"."order item"
            where "tenantId" = $1 and "orderNo" = $2 and line = 2`,
            own().slice(0, 2),
          ),
      },
      {
        weight: 4,
        work: async () => {
          const order = own();
          await run(`delete from "Shop"."Order" ${WHERE}`, order);
          pendingDeletion = order[1];
        },
      },
      // nothing that is counted
      {
        weight: 5,
        work: () => run(`update "Shop"."Order" set "placedAt" = "placedAt" ${WHERE}`, own()),
      },
    ];
    let pendingShipment: string | null = null;
    let pendingDeletion: number | null = null;

    while (!stopping) {
      pendingShipment = null;
      pendingDeletion = null;
      await run('begin');
      const targetFirst = random.chance(0.5);
      if (targetFirst) await target();
      // Longer than a server waits before it looks for a deadlock.
      if (random.chance(0.002)) await client.query('select pg_sleep(1.3)');
      await random.weighted(operations).work();
      if (!targetFirst && random.chance(0.3)) await target();
      const keep = !random.chance(0.1);
      const about = performance.now();
      await run(keep ? 'commit' : 'rollback');
      if (keep && pendingShipment !== null) shipped.set(pendingShipment, about);
      if (keep && pendingDeletion !== null) gone.add(pendingDeletion);
      total += 1;
      if (keep) current.transactions += 1;
      else current.rolledBack += 1;
      for (const look of watchers) look();
    }
  }

  return {
    shipped,
    phase(name) {
      current.duration = performance.now() - began;
      current = newPhase(name);
      began = performance.now();
      return current;
    },
    async committed(transactions) {
      const wanted = total + transactions;
      await new Promise<void>((resolve, reject) => {
        const look = () => {
          if (failure === null && total < wanted) return;
          watchers.delete(look);
          if (failure === null) resolve();
          else reject(failure);
        };
        watchers.add(look);
        look();
      });
    },
    async stop() {
      stopping = true;
      await running;
      current.duration = performance.now() - began;
      await Promise.all(clients.map((client) => client.end()));
      if (failure !== null) throw failure;
    },
  };
}
