import type { CopyValue } from './copy.ts';
import type { DiscoveryPlan } from './demo-discovery.ts';
import { copyItems, type Loader, takeIds, textArray, time } from './demo-loader.ts';

/** Copies profiles, projects, upvotes, comments, badges, chains, investors and intro requests. */
export async function loadDiscovery(
  loader: Loader,
  plan: DiscoveryPlan,
  account: (index: number) => string,
): Promise<void> {
  const { client } = loader;
  const { sizes } = plan;
  const project = await takeIds(client, 'app_public.project', sizes.projects);
  const comment = await takeIds(client, 'app_public.project_comment', sizes.comments);
  const chain = await takeIds(client, 'app_public.chain', sizes.chains);
  const post = await takeIds(client, 'app_public.chain_post', sizes.chainPosts);
  const investor = await takeIds(client, 'app_public.investor', sizes.investors);
  const copy = <T>(
    step: string,
    target: string,
    items: Iterable<T>,
    expected: number,
    row: (item: T, index: number) => readonly CopyValue[],
  ) => copyItems(loader, step, target, items, expected, row);

  await copy(
    'Projects',
    'app_public.profile (account_id, headline, bio, location, skills, website_url)',
    plan.profiles(),
    sizes.profiles,
    (it) => [
      account(it.account),
      it.headline,
      it.bio,
      it.location,
      textArray(it.skills),
      it.websiteUrl,
    ],
  );
  await copy(
    'Projects',
    'app_public.project (id, owner_id, title, tagline, description, website_url, tags, ' +
      'created_at, updated_at, deleted_at)',
    plan.projects(),
    sizes.projects,
    (it, index) => [
      project(index),
      account(it.owner),
      it.title,
      it.tagline,
      it.description,
      it.websiteUrl,
      textArray(it.tags),
      time(it.createdAt),
      time(it.updatedAt),
      time(it.deletedAt),
    ],
  );
  await copy(
    'Projects',
    'app_public.badge (project_id, validator_id, kind, points, note, awarded_at, revoked_at, ' +
      'revoked_by_id)',
    plan.badges(),
    sizes.projects,
    (it) => [
      project(it.project),
      account(it.validator),
      it.kind,
      it.points,
      it.note,
      time(it.awardedAt),
      time(it.revokedAt),
      it.revokedAt === null ? null : account(it.validator),
    ],
  );
  await copy(
    'Upvotes',
    'app_public.project_upvote (project_id, account_id, created_at, withdrawn_at)',
    plan.upvotes(),
    sizes.upvotes,
    (it) => [project(it.project), account(it.account), time(it.createdAt), time(it.withdrawnAt)],
  );
  await copy(
    'Comments',
    'app_public.project_comment (id, project_id, author_id, parent_id, content, created_at, ' +
      'edited_at, deleted_at)',
    plan.comments(),
    sizes.comments,
    (it, index) => [
      comment(index),
      project(it.project),
      account(it.author),
      it.parent === null ? null : comment(it.parent),
      it.content,
      time(it.createdAt),
      time(it.editedAt),
      time(it.deletedAt),
    ],
  );

  const owners: string[] = [];
  await copy(
    'Chains',
    'app_public.chain (id, owner_id, slug, name, description, created_at, deleted_at)',
    plan.chains(),
    sizes.chains,
    (it, index) => {
      owners[index] = account(it.owner);
      return [
        chain(index),
        account(it.owner),
        it.slug,
        it.name,
        it.description,
        time(it.createdAt),
        time(it.deletedAt),
      ];
    },
  );
  await copy(
    'Chains',
    'app_public.chain_project (chain_id, project_id, added_by_id, added_at, removed_at)',
    plan.chainProjects(),
    sizes.chainProjects,
    (it) => [
      chain(it.chain),
      project(it.project),
      owners[it.chain] as string,
      time(it.addedAt),
      time(it.removedAt),
    ],
  );
  await copy(
    'Chains',
    'app_public.chain_follow (chain_id, account_id, followed_at, unfollowed_at)',
    plan.chainFollows(),
    sizes.chainFollows,
    (it) => [chain(it.chain), account(it.account), time(it.followedAt), time(it.unfollowedAt)],
  );
  await copy(
    'Chains',
    'app_public.chain_post (id, chain_id, author_id, parent_id, title, content, created_at, ' +
      'edited_at, deleted_at)',
    plan.chainPosts(),
    sizes.chainPosts,
    (it, index) => [
      post(index),
      chain(it.chain),
      account(it.author),
      it.parent === null ? null : post(it.parent),
      it.title,
      it.content,
      time(it.createdAt),
      time(it.editedAt),
      time(it.deletedAt),
    ],
  );

  await copy(
    'Investors',
    'app_public.investor (id, account_id, name, headline, thesis, location, stages, sectors, ' +
      'min_check, max_check, is_open, created_at)',
    plan.investors(),
    sizes.investors,
    (it, index) => [
      investor(index),
      account(it.account),
      it.name,
      it.headline,
      it.thesis,
      it.location,
      textArray(it.stages),
      textArray(it.sectors),
      it.minCheck,
      it.maxCheck,
      it.isOpen,
      time(it.createdAt),
    ],
  );
  await copy(
    'Investors',
    'app_public.intro_request (project_id, investor_id, requester_id, recipient_id, message, ' +
      'state, created_at, expires_at, ended_at, answer)',
    plan.intros(),
    sizes.intros,
    (it) => [
      project(it.project),
      investor(it.investor),
      account(it.requester),
      account(it.recipient),
      it.message,
      it.state,
      time(it.createdAt),
      time(it.expiresAt),
      time(it.endedAt),
      it.answer,
    ],
  );
}
