import type { Random } from './random.ts';
import { CHOICES, conversationOf, MODERATIONS, REGIONS, SIZE, shopKey } from './world.ts';

/*
 * What the clients of a history do: transactions made of the seed alone, never of what the database
 * answers, so that a seed says what was sent.
 */

/** One statement; its tag goes with it as a comment, so that a sampler can tell what waits. */
export interface Statement {
  tag: string;
  sql: string;
  /** Rows of a `copy … from stdin`. */
  copy?: string;
}

export interface Step {
  statements: Statement[];
  /** Runs inside a savepoint that is rolled back afterwards. */
  undone: boolean;
}

export interface Transaction {
  isolation: 'read committed' | 'repeatable read' | 'serializable';
  steps: Step[];
  /** Milliseconds between the last statement and the end. */
  linger: number;
  rollback: boolean;
  /** Compares exact reads with a recount inside the transaction, its own changes included. */
  checks: boolean;
}

interface Operation {
  tag: string;
  weight: number;
  /** Takes tables away from everybody: stands alone in a transaction that does not queue for long. */
  solitary?: boolean;
  /** Reads a live view, which is not there without the engine. */
  live?: boolean;
  statements(random: Random): string | string[] | { sql: string; copy: string };
}

/** Statements of voters: nothing of the engine may ever hold one of these up. */
export const VOTER_TAGS = new Set([
  'vote',
  'vote once',
  'vote plainly',
  'vote by merge',
  'vote by copy',
  'vote by function',
  'vote on all',
  'change',
  'change all',
  'change nothing',
  'cancel',
  'cancel all',
  'move vote',
  'delete vote',
]);

const opinion = (r: Random) => r.between(1, SIZE.opinions);
const voter = (r: Random) => r.between(1, SIZE.accounts);
const choice = (r: Random) => r.pick(CHOICES);
const item = (r: Random) => r.between(0, SIZE.items - 1);
const shop = (r: Random) => shopKey(r.between(0, SIZE.shops - 1));
const label = (r: Random) => `'label ${r.between(1, SIZE.labels)}'`;
const node = (r: Random) => r.between(1, SIZE.nodes);
const state = (r: Random) => r.pick(["'listed'", "'listed'", "'hidden'"]);
const kind = (r: Random) => r.pick(["'view'", "'click'", "'share'"]);
const quoted = (text: string) => `'${text.replace("'", "''")}'`;

const VOTES = 'app_public.opinion_vote';
const VOTE_COLUMNS = '(opinion_id, conversation_id, voter_id, choice)';
const vote = (r: Random, on = opinion(r)) =>
  `(${on}, ${conversationOf(on)}, ${voter(r)}, '${choice(r)}')`;
const several = (r: Random, make: (r: Random) => string, most = 6) =>
  Array.from({ length: r.between(2, most) }, () => make(r)).join(', ');

const asAccount = (account: number, role: string, call: string) => [
  `set local role ${role}`,
  `select set_config('app.account_id', '${account}', true)`,
  call,
  'reset role',
];

const OPERATIONS: Operation[] = [
  {
    tag: 'vote',
    weight: 14,
    statements: (r) => `insert into ${VOTES} ${VOTE_COLUMNS} values ${vote(r)}
      on conflict (opinion_id, voter_id) do update
      set choice = excluded.choice, cast_at = now(), cancelled_at = null`,
  },
  {
    tag: 'vote once',
    weight: 5,
    statements: (r) => `insert into ${VOTES} ${VOTE_COLUMNS} values ${several(r, (s) => vote(s))}
      on conflict do nothing`,
  },
  {
    tag: 'vote plainly',
    weight: 5,
    statements: (r) => `insert into ${VOTES} ${VOTE_COLUMNS} values ${vote(r)}`,
  },
  {
    tag: 'vote on all',
    weight: 3,
    statements: (r) => `insert into ${VOTES} ${VOTE_COLUMNS}
      select o.id, o.conversation_id, ${voter(r)}, '${choice(r)}' from app_public.opinion o
      where o.conversation_id = ${r.between(1, SIZE.conversations)} order by o.id
      on conflict (opinion_id, voter_id) do update set choice = excluded.choice, cancelled_at = null`,
  },
  {
    tag: 'vote by merge',
    weight: 4,
    statements: (r) => {
      const on = opinion(r);
      return `merge into ${VOTES} v
        using (values ${several(r, (s) => vote(s, on), 3)}) n ${VOTE_COLUMNS}
        on v.opinion_id = n.opinion_id and v.voter_id = n.voter_id
        when matched and n.choice = 'pass' then delete
        when matched then update set choice = n.choice::app_public.vote_choice, cancelled_at = null
        when not matched then insert ${VOTE_COLUMNS} values
          (n.opinion_id, n.conversation_id, n.voter_id, n.choice::app_public.vote_choice)`;
    },
  },
  {
    tag: 'vote by copy',
    weight: 3,
    statements: (r) => ({
      sql: `copy ${VOTES} (opinion_id, conversation_id, voter_id, choice) from stdin`,
      copy: Array.from({ length: r.between(1, 4) }, () => {
        const on = opinion(r);
        return `${on}\t${conversationOf(on)}\t${voter(r)}\t${choice(r)}\n`;
      }).join(''),
    }),
  },
  {
    tag: 'vote by function',
    weight: 4,
    statements: (r) =>
      asAccount(
        voter(r),
        'app_account',
        `select app_public.cast_vote(${opinion(r)}, '${choice(r)}')`,
      ),
  },
  {
    tag: 'change',
    weight: 6,
    statements: (r) => `update ${VOTES} set choice = '${choice(r)}', cast_at = now()
      where opinion_id = ${opinion(r)} and voter_id = ${voter(r)}`,
  },
  {
    tag: 'change all',
    weight: 2,
    statements: (r) => `update ${VOTES} set choice = '${choice(r)}' where voter_id = ${voter(r)}`,
  },
  {
    tag: 'change nothing',
    weight: 2,
    statements: (r) => `update ${VOTES} set choice = choice where opinion_id = ${opinion(r)}`,
  },
  {
    tag: 'cancel',
    weight: 5,
    statements: (r) => `update ${VOTES} set cancelled_at = now()
      where opinion_id = ${opinion(r)} and voter_id = ${voter(r)}`,
  },
  {
    tag: 'cancel all',
    weight: 1,
    statements: (r) => `update ${VOTES} set cancelled_at = now() where voter_id = ${voter(r)}`,
  },
  {
    tag: 'move vote',
    weight: 3,
    statements: (r) => {
      const to = opinion(r);
      return `update ${VOTES} set opinion_id = ${to}, conversation_id = ${conversationOf(to)}
        where opinion_id = ${opinion(r)} and voter_id = ${voter(r)}`;
    },
  },
  {
    tag: 'delete vote',
    weight: 3,
    statements: (r) => `delete from ${VOTES}
      where opinion_id = ${opinion(r)} and voter_id % ${r.between(2, 9)} = 0`,
  },
  {
    tag: 'moderate',
    weight: 6,
    statements: (r) => `update app_public.opinion set moderation = ${r.pick(MODERATIONS)}
      where id = ${opinion(r)}`,
  },
  {
    tag: 'moderate by function',
    weight: 2,
    statements: (r) =>
      asAccount(
        r.between(1, SIZE.moderators),
        'app_moderator',
        `select app_public.moderate_opinion(${opinion(r)}, '${r.pick(['move', 'hide', 'withdraw'])}')`,
      ),
  },
  {
    tag: 'moderate all',
    weight: 1,
    statements: (r) => `update app_public.opinion set moderation = ${r.pick(MODERATIONS)}
      where conversation_id = ${r.between(1, SIZE.conversations)}`,
  },
  {
    tag: 'delete softly',
    weight: 3,
    statements: (r) => `update app_public.opinion set deleted_at = ${r.pick(['now()', 'null'])}
      where id = ${opinion(r)}`,
  },
  {
    tag: 'delete opinion',
    weight: 2,
    statements: (r) => `delete from app_public.opinion where id = ${opinion(r)}`,
  },
  {
    tag: 'write opinion',
    weight: 5,
    statements: (r) => {
      const id = opinion(r);
      const by = voter(r);
      return [
        `insert into app_public.opinion (id, conversation_id, author_id, content)
          overriding system value values (${id}, ${conversationOf(id)}, ${by}, 'Opinion ${id}')
          on conflict do nothing`,
        `insert into ${VOTES} ${VOTE_COLUMNS} values (${id}, ${conversationOf(id)}, ${by}, 'agree')
          on conflict do nothing`,
      ];
    },
  },
  {
    tag: 'delete conversation',
    weight: 0.3,
    statements: (r) => {
      const id = r.between(1, SIZE.conversations);
      const again = `insert into app_public.conversation (id, owner_id, topic)
        overriding system value values (${id}, 1, 'Conversation ${id}') on conflict do nothing`;
      return [
        `delete from app_public.conversation where id = ${id}`,
        again,
        `insert into app_public.opinion (id, conversation_id, author_id, content)
          overriding system value select o, ${id}, 1, 'Opinion ' || o
          from generate_series(1, ${SIZE.opinions}) o
          where o % ${SIZE.conversations} + 1 = ${id} on conflict do nothing`,
      ];
    },
  },
  {
    tag: 'truncate votes',
    weight: 0.25,
    solitary: true,
    statements: () => 'truncate app_public.opinion_vote',
  },
  {
    tag: 'truncate opinions',
    weight: 0.15,
    solitary: true,
    statements: () => [
      'truncate app_public.opinion cascade',
      `insert into app_public.opinion (id, conversation_id, author_id, content)
        overriding system value select o, o % ${SIZE.conversations} + 1, 1, 'Opinion ' || o
        from generate_series(1, ${SIZE.opinions}) o`,
    ],
  },

  {
    tag: 'put item',
    weight: 6,
    statements: (r) => `insert into proof.item (id, region, code, state, quantity, price)
      values (${item(r)}, ${shop(r)}, ${state(r)}, ${r.between(-3, 9)}, ${r.pick(['null', '1.25', '0.5'])})
      on conflict (id) do update set quantity = excluded.quantity, price = excluded.price`,
  },
  {
    tag: 'move item',
    weight: 4,
    statements: (r) => `update proof.item set (region, code) = row (${shop(r)}), state = ${state(r)}
      where id = ${item(r)}`,
  },
  {
    tag: 'move items',
    weight: 0.5,
    statements: (r) => `update proof.item set (region, code) = row (${shop(r)})
      where (region, code) = (${shop(r)})`,
  },
  {
    tag: 'merge items',
    weight: 2,
    statements: (r) => `merge into proof.item i
      using (values (${item(r)}, ${r.between(0, 3)})) n (id, quantity) on i.id = n.id
      when matched and n.quantity = 0 then delete
      when matched then update set quantity = i.quantity + n.quantity
      when not matched then insert (id, region, code, state, quantity)
        values (n.id, ${shop(r)}, 'listed', n.quantity)`,
  },
  {
    tag: 'swap items',
    weight: 1,
    statements: (r) => `with gone as (delete from proof.item where id = ${item(r)})
      update proof.item set quantity = quantity + 1 where id = ${item(r)}`,
  },
  {
    tag: 'sell',
    weight: 7,
    statements: (r) => `insert into proof.sale (item_id, buyer, amount)
      select id, 'buyer ${r.between(1, 8)}', ${r.between(1, 9)}.75 from proof.item
      where id in (${several(r, (s) => String(item(s)), 4)})`,
  },
  {
    tag: 'cancel sale',
    weight: 3,
    statements: (r) => `update proof.sale set cancelled = not cancelled
      where item_id = ${item(r)} and buyer = 'buyer ${r.between(1, 8)}'`,
  },
  {
    tag: 'hand over sale',
    weight: 3,
    statements: (r) => `update proof.sale set item_id = ${item(r)},
      buyer = 'buyer ${r.between(1, 8)}' where item_id = ${item(r)}`,
  },
  {
    tag: 'delete sales',
    weight: 1,
    statements: (r) => `delete from proof.sale where item_id % 7 = ${r.between(0, 6)}`,
  },
  {
    tag: 'note shop',
    weight: 3,
    statements: (r) => `update proof.shop set note = '${r.between(1, 99)}'
      where (region, code) = (${shop(r)})`,
  },
  {
    // As applications do: what is read live stays locked, in the mildest mode, to the end.
    tag: 'look and note',
    weight: 2,
    live: true,
    statements: (r) => [
      `select * from proof.shop_sheet_live where (region, code) = (${shop(r)})`,
      `update proof.shop set note = '${r.between(1, 9)}' where (region, code) = (${shop(r)})`,
    ],
  },
  {
    tag: 'close shop',
    weight: 0.6,
    // One shop, and its region, is there for ever: what is derived from it is never empty.
    statements: (r) => `delete from proof.shop
      where (region, code) = (${shopKey(r.between(1, SIZE.shops - 1))})`,
  },
  {
    tag: 'open shop',
    weight: 3,
    statements: (r) =>
      `insert into proof.shop (region, code) values (${shop(r)}) on conflict do nothing`,
  },
  {
    tag: 'close region',
    weight: 0.2,
    statements: (r) => {
      const name = quoted(r.pick(REGIONS.slice(1)));
      return [
        `delete from proof.region where name = ${name}`,
        `insert into proof.region (name) values (${name})`,
      ];
    },
  },
  {
    tag: 'log events',
    weight: 5,
    statements: (r) => `insert into proof.event (kind, region, code, weight)
      values ${several(r, (s) => `(${kind(s)}, ${shop(s)}, ${s.pick(['null', '1', '3', '9'])})`)}`,
  },
  {
    tag: 'copy events',
    weight: 2,
    statements: (r) => ({
      sql: 'copy proof.event (kind, region, code, weight) from stdin',
      copy: Array.from(
        { length: r.between(1, 8) },
        () =>
          `${[kind(r), ...shop(r).split(', ')]
            .map((literal) => literal.slice(1, -1).replace("''", "'"))
            .join('\t')}\t${r.between(0, 12)}\n`,
      ).join(''),
    }),
  },
  {
    tag: 'move events',
    weight: 3,
    statements: (
      r,
    ) => `update proof.event set kind = ${kind(r)}, weight = weight + ${r.between(0, 2)}
      where id % 5 = ${r.between(0, 4)} and (region, code) = (${shop(r)})`,
  },
  {
    tag: 'delete events',
    weight: 2,
    statements: (r) => `delete from proof.event where kind = ${kind(r)} and id % 3 = 0`,
  },
  {
    tag: 'tag',
    weight: 5,
    statements: (r) => `insert into proof.tagging (item_id, label, weight)
      values ${several(r, (s) => `(${s.pick(['null', item(s)])}, ${label(s)}, ${s.between(-1, 2)})`)}`,
  },
  {
    tag: 'tag again',
    weight: 3,
    statements: (r) => `update proof.tagging set label = ${label(r)}, weight = -weight
      where label = ${label(r)} and item_id % 3 = ${r.between(0, 2)}`,
  },
  {
    tag: 'untag',
    weight: 3,
    statements: (r) => `delete from proof.tagging where label = ${label(r)} and item_id % 4 = 0`,
  },
  {
    tag: 'make label',
    weight: 4,
    statements: (r) => `insert into proof.label (name) values (${label(r)}) on conflict do nothing`,
  },
  {
    tag: 'drop label',
    weight: 2,
    statements: (r) => `delete from proof.label where name = ${label(r)}`,
  },
  {
    tag: 'plant node',
    weight: 5,
    statements: (r) => {
      const id = node(r);
      return `insert into proof.node (id, parent_id, kind)
        select ${id}, (select p.id from proof.node p where p.id = ${r.between(0, id - 1)}),
          ${r.pick(["'leaf'", "'branch'", "'ghost'"])}
        on conflict (id) do update set kind = excluded.kind, parent_id = excluded.parent_id`;
    },
  },
  {
    tag: 'fell node',
    weight: 1,
    statements: (r) => `delete from proof.node where id = ${r.between(4, SIZE.nodes)}`,
  },
  {
    tag: 'truncate items',
    weight: 0.15,
    solitary: true,
    statements: () => 'truncate proof.item, proof.sale',
  },
  {
    tag: 'truncate labels',
    weight: 0.25,
    solitary: true,
    statements: (r) =>
      r.pick(['truncate proof.tagging', 'truncate proof.label', 'truncate proof.event']),
  },
];

export interface OperationFilter {
  /** Tags to leave out: to find what makes a fault. */
  without?: readonly string[];
  /** Only these tags. */
  only?: readonly string[];
  /** Without the operations that read what the engine makes. */
  plain?: boolean;
}

/** The operations that a history may use; an unknown tag is an error. */
export function operations(filter: OperationFilter = {}): Operation[] {
  for (const tag of [...(filter.without ?? []), ...(filter.only ?? [])]) {
    if (!OPERATIONS.some((operation) => operation.tag === tag)) {
      throw new Error(`there is no operation "${tag}"`);
    }
  }
  return OPERATIONS.filter(
    ({ tag, live }) =>
      !filter.without?.includes(tag) &&
      (filter.only?.includes(tag) ?? true) &&
      !(filter.plain && live),
  );
}

/**
 * Operations whose transactions cannot deadlock by themselves: each is alone in its transaction and
 * writes one row.
 */
export const DISCIPLINED = [
  'vote',
  'vote plainly',
  'vote by function',
  'change',
  'cancel',
  'moderate',
  'moderate by function',
  'delete softly',
  'put item',
  'move item',
  'note shop',
  'open shop',
  'make label',
];

/** The next transaction of a client; `alone` gives each operation one of its own. */
export function planTransaction(random: Random, from: Operation[], alone = false): Transaction {
  const first = random.weighted(from);
  const plan: Transaction = {
    isolation: 'read committed',
    steps: [step(random, first)],
    linger: random.chance(0.1) ? random.between(5, 60) : 0,
    rollback: random.chance(0.15),
    checks: random.chance(0.06),
  };
  if (first.solitary || alone) return plan;
  plan.isolation = random.chance(0.85)
    ? 'read committed'
    : random.pick(['repeatable read', 'serializable']);
  for (let more = random.pick([0, 0, 0, 1, 1, 2, 3]); more > 0; more -= 1) {
    const next = random.weighted(from);
    if (!next.solitary) plan.steps.push(step(random, next));
  }
  return plan;
}

function step(random: Random, operation: Operation): Step {
  const made = operation.statements(random);
  const statements =
    typeof made === 'string'
      ? [{ tag: operation.tag, sql: made }]
      : Array.isArray(made)
        ? made.map((sql) => ({ tag: operation.tag, sql }))
        : [{ tag: operation.tag, ...made }];
  if (operation.solitary) {
    // Gives up instead of queueing behind everybody, with everybody queueing behind it.
    statements.unshift({ tag: operation.tag, sql: "set local lock_timeout = '200ms'" });
  }
  return { statements, undone: random.chance(0.1) };
}
