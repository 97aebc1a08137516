import type pg from 'pg';

/** A node of `explain (format json)`, with the fields that tests read. */
export interface PlanNode {
  'Node Type': string;
  /** With `verbose` only. */
  Schema?: string;
  'Relation Name'?: string;
  'Function Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  'Scan Direction'?: string;
  /** These two with `analyze` only, the next two with `buffers`. */
  'Actual Rows': number;
  'Actual Loops': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

/** A node and all below it, each before its children. */
export function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** The root of a statement's plan; the statement is run, unless the options are without `analyze`. */
export async function explain(
  client: pg.ClientBase,
  statement: string,
  parameters: unknown[] = [],
  options = 'analyze, timing off',
): Promise<PlanNode> {
  const { rows } = await client.query(`explain (${options}, format json) ${statement}`, parameters);
  return rows[0]['QUERY PLAN'][0].Plan;
}
