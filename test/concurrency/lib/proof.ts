import { MUTANTS, type Mutant, plant } from './mutants.ts';
import { type ScenarioName, scenario } from './scenarios.ts';
import { GATE, VOTES, withStage } from './stage.ts';
import { createWorlds, type Worlds, withOwner } from './worlds.ts';

/** Databases in which scenarios are played. */
export interface Proof {
  worlds: Worlds;
  /** The faults that a scenario finds, in a database of its own with the mistake, if any. */
  play(name: ScenarioName, mutant?: Mutant): Promise<string[]>;
  /** Whether the login may not play it: it, or its mistake, is a superuser's. */
  needsSuperuser(name: ScenarioName): boolean;
  drop(): Promise<void>;
}

export async function createProof(): Promise<Proof> {
  let isSuperuser = false;
  const worlds = await createWorlds(async (client) => {
    await client.query(GATE);
    await client.query(VOTES);
    const { rows } = await client.query<{ superuser: boolean }>(
      'select rolsuper as superuser from pg_roles where rolname = session_user',
    );
    isSuperuser = rows[0]!.superuser;
  });
  const superusers = new Set(
    MUTANTS.filter(({ superuser }) => superuser).map(({ caughtBy }) => caughtBy),
  );
  return {
    worlds,
    async play(name, mutant) {
      return await worlds.with(async (connectionString) => {
        if (mutant) await withOwner(connectionString, (client) => plant(client, mutant));
        return await withStage(connectionString, scenario(name).play);
      });
    },
    needsSuperuser: (name) => !isSuperuser && superusers.has(name),
    drop: () => worlds.drop(),
  };
}
