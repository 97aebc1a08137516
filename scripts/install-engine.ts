import { runCommand } from './lib/cli.ts';
import { installCommand } from './lib/engine-cli.ts';

/*
 * `npm run install-engine`: puts the engine alone into a database that is there, as the role that
 * logs in, which needs no right but to create schemas in it; once more: brings it up to date.
 */

await runCommand(installCommand);
