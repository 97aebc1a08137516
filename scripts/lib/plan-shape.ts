import { createHash } from 'node:crypto';

/*
 * The shape of a plan: its nodes, what they read and by which index, how they join. Costs, row counts
 * and conditions are left out (those hold values), so that the hash of a shape changes when the
 * planner decides otherwise, and only then.
 */

interface PlanNode {
  'Node Type': string;
  'Join Type'?: string;
  Strategy?: string;
  'Scan Direction'?: string;
  Schema?: string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Function Name'?: string;
  'CTE Name'?: string;
  'Subplan Name'?: string;
  Operation?: string;
  Plans?: PlanNode[];
}

/** A plan as one line for each node, indented by its depth, and a hash of that. */
export interface PlanShape {
  hash: string;
  text: string;
}

/** @param explained what `explain (format json)` returned. */
export function planShape(explained: unknown): PlanShape {
  const [root] = (typeof explained === 'string' ? JSON.parse(explained) : explained) as {
    Plan: PlanNode;
  }[];
  if (root === undefined) throw new Error('explain returned no plan');
  const lines: string[] = [];
  describe(root.Plan, 0, lines);
  const text = lines.join('\n');
  return { hash: createHash('sha256').update(text).digest('hex').slice(0, 16), text };
}

function describe(node: PlanNode, depth: number, lines: string[]): void {
  const { Strategy: strategy, Operation: operation } = node;
  const direction = node['Scan Direction'];
  const words = [
    node['Subplan Name'] && `[${node['Subplan Name']}]`,
    operation && operation !== 'Select' && operation,
    direction !== undefined && direction !== 'Forward' && direction,
    strategy !== undefined && strategy !== 'Plain' && strategy,
    node['Join Type'] && node['Join Type'] !== 'Inner' && node['Join Type'],
    node['Node Type'],
    node['Index Name'] && `using ${node['Index Name']}`,
    node['Relation Name'] && `on ${node['Relation Name']}`,
    node['Function Name'] && `of ${node['Function Name']}`,
    node['CTE Name'] && `of ${node['CTE Name']}`,
  ];
  lines.push(`${'  '.repeat(depth)}${words.filter(Boolean).join(' ')}`);
  for (const child of node.Plans ?? []) describe(child, depth + 1, lines);
}
