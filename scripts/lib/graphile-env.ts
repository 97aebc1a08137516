/*
 * Imported before anything of Graphile, which reads it once: without it every command prints a
 * warning about the missing variable.
 */
process.env.GRAPHILE_ENV ??= 'production';
