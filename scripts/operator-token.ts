import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from './lib/cli.ts';
import { loadConfig } from './lib/config.ts';
import { localSecret, tokenKey } from './lib/jwt.ts';
import {
  issueOperatorToken,
  OPERATOR_TOKEN_LIFETIME,
  OPERATOR_TOKEN_MAX,
} from './lib/operator-token.ts';

/*
 * `npm run operator-token`: prints a token for the operator endpoint. Whoever may run it has the key
 * (JWT_SECRET, or that of the data directory), which is the right that it takes.
 */

await runCommand(async () => {
  const program = new Command('operator-token')
    .description("Prints a token for the operator's API, /operator/graphql.")
    .argument('[name]', 'who it is for; noted with what is changed', 'operator')
    .option('--lifetime <seconds>', 'until it expires', seconds, OPERATOR_TOKEN_LIFETIME)
    .option('--json', 'print an object with the token and when it expires')
    .exitOverride()
    .parse();
  const { lifetime, json = false } = program.opts<{ lifetime: number; json?: boolean }>();
  const name = program.processedArgs[0] as string;
  const config = loadConfig();
  const key = tokenKey(config.jwtSecret ?? (await localSecret(config.dataDir)));
  const token = await issueOperatorToken(key, { name, lifetime });
  const expiresAt = new Date(Date.now() + lifetime * 1_000).toISOString();
  process.stdout.write(json ? `${JSON.stringify({ token, expiresAt })}\n` : `${token}\n`);
  return 0;
});

function seconds(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > OPERATOR_TOKEN_MAX) {
    throw new InvalidArgumentError(`It must be from 1 to ${OPERATOR_TOKEN_MAX}.`);
  }
  return number;
}
