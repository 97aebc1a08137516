import { pino } from 'pino';

/**
 * The one logger: JSON lines on standard error, so that a command's own output (`--json`) stays
 * alone on standard output. `LOG_LEVEL` sets the level (default `info`).
 *
 * Connection strings, tokens and passwords are removed wherever an object carries them.
 */
export const log = pino(
  {
    level: process.env.LOG_LEVEL || 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'password',
        'connectionString',
        'authorization',
        '*.password',
        '*.connectionString',
        '*.authorization',
        '*.headers.authorization',
        '*.headers.cookie',
      ],
      censor: '[redacted]',
    },
  },
  pino.destination({ dest: 2, sync: true }),
);
