import { runCommand } from './lib/cli.ts';
import { uninstallCommand } from './lib/engine-cli.ts';

/*
 * `npm run uninstall-engine`: takes the engine out of a database again.
 */

await runCommand(uninstallCommand);
