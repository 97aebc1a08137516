import type { PgResource } from 'postgraphile/@dataplan/pg';
import {
  access,
  constant,
  context,
  type FieldArgs,
  lambda,
  listen,
  object,
  type Step,
} from 'postgraphile/grafast';
import { extendSchema, gql } from 'postgraphile/utils';
import { type Announcement, rowTopic } from './announcements.ts';

/*
 * Subscriptions on derivations. Each event is the row as the subscriber may see it then, read under
 * their own rights; the first comes at once, so nothing between a query and the subscription is
 * missed. Announcements come once for a drain or a recompute: a conversation with a thousand votes a
 * second gives a few events a second, each with the exact counts.
 */

const INITIAL: Announcement = { keys: null };

export const SubscriptionsPlugin: GraphileConfig.Plugin = extendSchema((build) => {
  const resources = build.input.pgRegistry.pgResources as Record<string, PgResource>;
  const conversation = resources.conversation;
  const feedProject = resources.feed_project;
  const typeDefs: ReturnType<typeof gql>[] = [];
  if (conversation) {
    typeDefs.push(gql`
      extend type Subscription {
        """
        A conversation, now and after every change of what is counted in it: votes, opinions,
        participants.
        """
        conversation(id: BigInt!): ConversationSubscription
      }
      """A conversation as it is now."""
      type ConversationSubscription {
        """Null when it does not exist, or cannot be seen."""
        conversation: Conversation
      }
    `);
  }
  if (feedProject) {
    typeDefs.push(gql`
      extend type Subscription {
        """
        The feed of projects: tells, after every recompute, which projects changed in it.
        """
        feed: FeedSubscription
      }
      """What changed in the feed."""
      type FeedSubscription {
        """
        The projects whose place or content may have changed; null, as in the first event, means any:
        read the feed again.
        """
        projectIds: [BigInt!]
      }
    `);
  }
  return {
    typeDefs,
    objects: {
      Subscription: {
        plans: {
          ...(conversation && {
            conversation: {
              subscribePlan(_root: Step, args: FieldArgs) {
                const $id = args.getRaw('id') as Step<string>;
                const $topic = lambda($id, (id) => rowTopic('app_public.conversation', [id]));
                return subscribeTo($topic);
              },
              plan(_event: Step, args: FieldArgs) {
                return object({ id: args.getRaw('id') as Step<string> });
              },
            },
          }),
          ...(feedProject && {
            feed: {
              subscribePlan() {
                return subscribeTo(constant('app_public.feed_project'));
              },
              plan($event: Step) {
                return object({ keys: access($event, 'keys') });
              },
            },
          }),
        },
      },
      ...(conversation && {
        ConversationSubscription: {
          plans: {
            conversation($payload: Step & { get(name: string): Step<string> }) {
              return conversation.get({ id: $payload.get('id') as never });
            },
          },
        },
      }),
      ...(feedProject && {
        FeedSubscription: {
          plans: {
            projectIds($payload: Step & { get(name: string): Step<Announcement['keys']> }) {
              return lambda(
                $payload.get('keys'),
                (keys) => keys?.map(([id]) => String(id)) ?? null,
                true,
              );
            },
          },
        },
      }),
    },
  };
}, 'MillraceSubscriptionsPlugin');

function subscribeTo($topic: Step<string>): Step {
  return listen(
    context().get('pgSubscriber' as never) as never,
    $topic as never,
    ($item) => $item,
    constant(INITIAL, false) as never,
  );
}
