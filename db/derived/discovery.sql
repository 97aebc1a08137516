/*
 * What is counted in discovery. Upvotes, follows and badges count while they are not withdrawn or
 * revoked, texts while they are not deleted, and what belongs to a deleted project or chain no more
 * counts for its owner.
 */
select millrace.counter('app_public.project.upvote_count',
  source => 'app_public.project_upvote', key => '{project_id}',
  filter => 'source.withdrawn_at is null');
select millrace.counter('app_public.project.comment_count',
  source => 'app_public.project_comment', key => '{project_id}',
  filter => 'source.deleted_at is null');
select millrace.counter('app_public.project.badge_count',
  source => 'app_public.badge', key => '{project_id}', filter => 'source.revoked_at is null');
select millrace.counter('app_public.project.proof_score',
  source => 'app_public.badge', key => '{project_id}', filter => 'source.revoked_at is null',
  value => 'source.points');
select millrace.counter('app_public.project_comment.reply_count',
  source => 'app_public.project_comment', key => '{parent_id}',
  filter => 'source.deleted_at is null');

select millrace.counter('app_public.chain.project_count',
  source => 'app_public.chain_project', key => '{chain_id}', through => 'app_public.project',
  filter => 'source.removed_at is null and via.deleted_at is null');
select millrace.counter('app_public.chain.follower_count',
  source => 'app_public.chain_follow', key => '{chain_id}',
  filter => 'source.unfollowed_at is null');
select millrace.counter('app_public.chain.post_count',
  source => 'app_public.chain_post', key => '{chain_id}',
  filter => 'source.deleted_at is null and source.parent_id is null');
select millrace.counter('app_public.chain.reply_count',
  source => 'app_public.chain_post', key => '{chain_id}',
  filter => 'source.deleted_at is null and source.parent_id is not null');
select millrace.counter('app_public.chain_post.reply_count',
  source => 'app_public.chain_post', key => '{parent_id}', filter => 'source.deleted_at is null');

select millrace.counter('app_public.investor.intro_count',
  source => 'app_public.intro_request', key => '{investor_id}',
  filter => $$source.state = 'accepted'$$);

-- Of an account: what it shows, wrote and keeps, and what others gave to that.
select millrace.counter('app_public.account.project_count',
  source => 'app_public.project', key => '{owner_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.chain_count',
  source => 'app_public.chain', key => '{owner_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.comment_count',
  source => 'app_public.project_comment', key => '{author_id}',
  filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.upvote_count',
  source => 'app_public.project_upvote', key => '{via.owner_id}',
  through => 'app_public.project',
  filter => 'source.withdrawn_at is null and via.deleted_at is null');
select millrace.counter('app_public.account.badge_count',
  source => 'app_public.badge', key => '{via.owner_id}', through => 'app_public.project',
  filter => 'source.revoked_at is null and via.deleted_at is null');
select millrace.counter('app_public.account.proof_score',
  source => 'app_public.badge', key => '{via.owner_id}', through => 'app_public.project',
  filter => 'source.revoked_at is null and via.deleted_at is null', value => 'source.points');
select millrace.counter('app_public.account.follower_count',
  source => 'app_public.chain_follow', key => '{via.owner_id}', through => 'app_public.chain',
  filter => 'source.unfollowed_at is null and via.deleted_at is null',
  distinct_on => '{account_id}');
