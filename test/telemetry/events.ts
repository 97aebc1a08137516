import type pg from 'pg';
import { one } from '../deliberation/community.ts';

/* What the tests of telemetry ask of it. */

type Client = pg.ClientBase | pg.Pool;

export interface Refusal {
  index: number;
  reason: string;
  detail: string;
}

export interface Receipt {
  stored: number;
  duplicates: number;
  refused: number;
  refusals: Refusal[];
}

/** Sends a batch as the client's account; `events` is a JSON text or what becomes one. */
export async function ingest(client: Client, events: unknown): Promise<Receipt> {
  const { receipt } = await one<{ receipt: Receipt }>(
    client,
    `select json_build_object(
      'stored', r.stored_count, 'duplicates', r.duplicate_count, 'refused', r.refused_count,
      'refusals', (
        select coalesce(json_agg(json_build_object(
          'index', f.event_index, 'reason', f.reason, 'detail', f.detail)), '[]')
        from unnest(r.refusals) f
      )) as receipt
    from app_public.ingest_telemetry($1::json) r`,
    [typeof events === 'string' ? events : JSON.stringify(events)],
  );
  return receipt;
}

/** A moment so many seconds from now, as clients write it. */
export const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

export const DAY = 86_400;

/** What telemetry_day has to hold, from nothing but the events. */
export const RECOUNT = `
  select day, kind, count(*) as event_count, count(distinct account_id) as account_count
  from app_public.telemetry_event group by day, kind order by day, kind`;

/** The same by the exact reads. */
export const EXACT = `
  select d.day, d.kind, app_public.telemetry_day_event_count(d) as event_count,
    app_public.telemetry_day_account_count(d) as account_count
  from app_public.telemetry_day d order by d.day, d.kind`;

/** The same as stored. */
export const STORED = `
  select day, kind, event_count, account_count from app_public.telemetry_day order by day, kind`;
