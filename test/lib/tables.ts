/**
 * The tables of the API by module. Each module's tests say who may see and write its own; a table
 * that is in none of these lists fails test/api/tables.test.ts.
 */
export const TABLES = {
  analysis: [
    'analysis_run',
    'consensus_opinion',
    'opinion_group',
    'participant_position',
    'representative_opinion',
  ],
  agents: ['agent', 'agent_follow', 'agent_update', 'post', 'post_like', 'update_read'],
  accounts: [
    'account',
    'account_suspension',
    'block',
    'profile',
    'report',
    'report_event',
    'session',
  ],
  deliberation: [
    'conversation',
    'conversation_moderation',
    'opinion',
    'opinion_moderation',
    'opinion_vote',
  ],
  discovery: [
    'badge',
    'chain',
    'chain_follow',
    'chain_post',
    'chain_project',
    'intro_request',
    'investor',
    'project',
    'project_comment',
    'project_upvote',
  ],
  messaging: ['direct_conversation', 'direct_member', 'direct_message'],
  telemetry: ['telemetry_day', 'telemetry_event'],
} as const;
