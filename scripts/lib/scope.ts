/*
 * What of the checkout is installed and recorded together: all of it, or the engine alone in a
 * database that is somebody else's (scripts/lib/engine.ts). migrations.ts and replaceables.ts
 * work on one scope at a time.
 */

/** A part of the checkout, and where in a database it is recorded. */
export interface Scope {
  /** The schema that records what was applied, with which checksum. */
  bookkeeping: string;
  /** The role that owns what is made; null: whoever is connected. */
  owner: string | null;
  /** Whether a migration belongs to it, by its name without `.up.sql`. */
  includes(migration: string): boolean;
  /**
   * The schemas in which its files of functions/ make objects, and in which alone changes are
   * looked for: in somebody else's database others make tables at the same time. Null: all.
   */
  schemas: readonly string[] | null;
}

/** Everything: `npm run migrate`. */
export const PROJECT: Scope = {
  bookkeeping: 'app_migration',
  owner: 'app_owner',
  includes: () => true,
  schemas: null,
};

/** The engine: `npm run install-engine`. */
export const ENGINE: Scope = {
  bookkeeping: 'millrace_migration',
  owner: null,
  includes: (migration) => /^\d{4}_millrace(_|$)/.test(migration),
  schemas: ['millrace'],
};
