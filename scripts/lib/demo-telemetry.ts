/*
 * What the clients of the demo's community report: page views above all, some errors, more by day
 * than by night, of the six days before the load. Its times hang on the load's, because events are
 * kept for a while only; everything else is drawn.
 */
import { copyItems, type Loader, time } from './demo-loader.ts';
import { randomFor, scaled, skewed } from './demo-spread.ts';

export interface DemoEvent {
  account: number;
  kind: string;
  occurredAt: number;
  payload: Record<string, string | number>;
}

const DAY = 86_400_000;
const DAYS = 6;
const RANDOM_KIND = 31;

/** A hundred events: how many there are of each kind. */
const KINDS = [
  ...Array<string>(55).fill('page.view'),
  ...Array<string>(15).fill('vote.cast'),
  ...Array<string>(10).fill('search'),
  ...Array<string>(8).fill('app.start'),
  ...Array<string>(7).fill('project.open'),
  ...Array<string>(5).fill('app.error'),
];
const PAGES = ['/', '/projects', '/conversations', '/chains', '/messages', '/leaderboard'];

/** The events of a batch, in the order of time: 10,000 at scale 1. */
export function* planTelemetry(
  accountCount: number,
  scale: number,
  batch: number,
  now: number,
): Generator<DemoEvent> {
  const count = scaled(10_000, scale);
  const random = randomFor(batch, RANDOM_KIND);
  for (let index = 0; index < count; index += 1) {
    const share = (index + random.next()) / count;
    const day = Math.floor(share * DAYS);
    // Within a day the hours are bent towards its middle.
    const part = share * DAYS - day;
    const bent = part + (Math.sin(2 * Math.PI * part) * 0.7) / (2 * Math.PI);
    const occurredAt = Math.floor(now - DAYS * DAY + (day + bent) * DAY);
    const kind = random.pick(KINDS);
    yield {
      account: skewed(random, accountCount),
      kind,
      occurredAt,
      payload:
        kind === 'app.error'
          ? { message: random.chance(0.7) ? 'network' : 'timeout', status: 500 + random.below(5) }
          : { path: random.pick(PAGES), ms: 20 + skewed(random, 3_000), app: 'web' },
    };
  }
}

/** Copies events, and the rows that their sums of each day are kept in. Returns how many. */
export async function loadTelemetry(
  loader: Loader,
  accountCount: number,
  scale: number,
  account: (index: number) => string,
): Promise<number> {
  const events = () => planTelemetry(accountCount, scale, loader.batch, now);
  const { rows } = await loader.client.query<{ now: Date }>('select now() as now');
  const now = (rows[0] as { now: Date }).now.getTime();
  const days = new Set<string>();
  for (const { kind, occurredAt } of events()) {
    days.add(`${new Date(occurredAt).toISOString().slice(0, 10)} ${kind}`);
  }
  await loader.client.query(
    `insert into app_public.telemetry_day (day, kind)
    select split_part(d, ' ', 1)::date, split_part(d, ' ', 2) from unnest($1::text[]) d
    on conflict do nothing`,
    [[...days]],
  );
  return await copyItems(
    loader,
    'Telemetry',
    'app_public.telemetry_event (account_id, kind, occurred_at, payload)',
    events(),
    scaled(10_000, scale),
    (it) => [account(it.account), it.kind, time(it.occurredAt), JSON.stringify(it.payload)],
  );
}
