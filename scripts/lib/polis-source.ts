/*
 * Finds the files of a Polis export, in a folder or in a .tar.gz.
 *
 * An archive comes from outside, so nothing in it is believed: entries are matched by name against
 * the four files an export has and written into a temporary folder under a name of ours, links and
 * paths that leave the archive are refused, and what is unpacked is bounded.
 */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { PolisFormatError, shown } from './polis-error.ts';

/** The files of an export; `participants-votes.csv` only repeats what the others say. */
const FILE_NAMES = {
  summary: 'summary.csv',
  comments: 'comments.csv',
  votes: 'votes.csv',
  participants: 'participants-votes.csv',
} as const;

type FileKind = keyof typeof FILE_NAMES;

/** One file of the export: where it lies, and what to call it in messages. */
export interface PolisFile {
  path: string;
  name: string;
  bytes: number;
}

export interface PolisSource {
  summary: PolisFile;
  comments: PolisFile;
  votes: PolisFile;
  participants: PolisFile | null;
  /** Removes what was unpacked. */
  close(): Promise<void>;
}

export interface PolisLimits {
  /** Largest size of one file, in bytes. */
  fileBytes: number;
  /** Largest size of an archive's content, in bytes, the ignored entries included. */
  totalBytes: number;
}

/** Some hundred times the largest published conversation. */
export const POLIS_LIMITS: PolisLimits = { fileBytes: 2 ** 30, totalBytes: 2 ** 31 };

/**
 * Opens the export at `path`: a folder with its files, a folder that keeps them in
 * `originals.tar.gz`, or a `.tar.gz`.
 *
 * Throws PolisFormatError when a file is missing, twice there, too large, or the archive is damaged
 * or hostile. What was unpacked is removed then; otherwise `close` removes it.
 */
export async function openPolisSource(
  path: string,
  limits: PolisLimits = POLIS_LIMITS,
): Promise<PolisSource> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new PolisFormatError(
      { file: path },
      error.code === 'ENOENT' ? 'there is no such file or folder' : error.message,
      { cause: error },
    );
  });
  if (!found.isDirectory()) return openArchive(path, limits);

  const files = await filesOfFolder(path, limits);
  if (files.summary === undefined) {
    const originals = join(path, 'originals.tar.gz');
    if ((await stat(originals).catch(() => null))?.isFile()) return openArchive(originals, limits);
  }
  return complete(files, path, () => Promise.resolve());
}

type FoundFiles = Partial<Record<FileKind, PolisFile>>;

function complete(files: FoundFiles, path: string, close: () => Promise<void>): PolisSource {
  const { summary, comments, votes, participants } = files;
  if (summary === undefined || comments === undefined || votes === undefined) {
    const missing = (['summary', 'comments', 'votes'] as const).find(
      (kind) => files[kind] === undefined,
    );
    throw new PolisFormatError(
      { file: path },
      `${FILE_NAMES[missing ?? 'summary']} is missing; a Polis export has ` +
        'summary.csv, comments.csv, votes.csv and participants-votes.csv',
    );
  }
  return { summary, comments, votes, participants: participants ?? null, close };
}

async function filesOfFolder(folder: string, limits: PolisLimits): Promise<FoundFiles> {
  const files: FoundFiles = {};
  for (const [kind, name] of Object.entries(FILE_NAMES) as [FileKind, string][]) {
    const path = join(folder, name);
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw new PolisFormatError({ file: name }, error.message, { cause: error });
    });
    if (found === null) continue;
    if (!found.isFile()) throw new PolisFormatError({ file: name }, 'this is not a plain file');
    if (found.size > limits.fileBytes) throw tooLarge(name, limits.fileBytes);
    files[kind] = { path, name, bytes: found.size };
  }
  return files;
}

async function openArchive(path: string, limits: PolisLimits): Promise<PolisSource> {
  await requireGzip(path);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-polis-'));
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    return complete(await unpack(path, folder, limits), basename(path), close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function requireGzip(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    if (bytesRead < 2 || buffer[0] !== 0x1f || buffer[1] !== 0x8b) {
      throw new PolisFormatError(
        { file: basename(path) },
        'this is neither a folder nor a gzip archive (.tar.gz)',
      );
    }
  } finally {
    await handle.close();
  }
}

async function unpack(path: string, folder: string, limits: PolisLimits): Promise<FoundFiles> {
  const archive = basename(path);
  const files: FoundFiles = {};
  const writes: Promise<void>[] = [];
  const failed = Promise.withResolvers<never>();
  const fail = failed.reject;
  // Awaited below wherever something waits; until then a rejection is nobody's fault.
  failed.promise.catch(() => undefined);

  const take = (entry: ReadEntry): void => {
    const kind = checkEntry(entry, archive, files, limits);
    if (kind === null) {
      entry.resume();
      return;
    }
    const target = join(folder, FILE_NAMES[kind]);
    files[kind] = { path: target, name: FILE_NAMES[kind], bytes: entry.size };
    writes.push(pipeline(entry as AsyncIterable<Buffer>, createWriteStream(target)).catch(fail));
  };

  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      try {
        take(entry);
      } catch (error) {
        fail(error);
        entry.resume();
      }
    },
  });
  parser.on('error', (error: unknown) => fail(damaged(archive, error)));

  let total = 0;
  const input = createReadStream(path);
  const gunzip = createGunzip();
  // Ends when both streams have; its error is the reader's below as well.
  const fed = pipeline(input, gunzip).catch(fail);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > limits.totalBytes) throw tooLarge(archive, limits.totalBytes);
      if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failed.promise]);
    }
    const ended = once(parser, 'end');
    parser.end();
    await Promise.race([ended, failed.promise]);
    await Promise.race([Promise.all(writes), failed.promise]);
  } catch (error) {
    throw error instanceof PolisFormatError ? error : damaged(archive, error);
  } finally {
    input.destroy();
    gunzip.destroy();
    await fed;
  }
  return files;
}

/** The kind of file that an entry holds, null when it is none of ours; throws when it is hostile. */
function checkEntry(
  entry: ReadEntry,
  archive: string,
  files: FoundFiles,
  limits: PolisLimits,
): FileKind | null {
  const segments = entry.path.split(/[/\\]/);
  if (/^([/\\]|[a-z]:)/i.test(entry.path) || segments.includes('..')) {
    throw new PolisFormatError(
      { file: archive },
      `the entry ${shown(entry.path)} points outside the archive`,
    );
  }
  const name = segments.at(-1);
  const known = (Object.entries(FILE_NAMES) as [FileKind, string][]).find(([, n]) => n === name);
  if (entry.type === 'Directory') return null;
  if (!['File', 'OldFile', 'ContiguousFile'].includes(entry.type)) {
    throw new PolisFormatError(
      { file: archive },
      `the entry ${shown(entry.path)} is a ${entry.type}; only plain files are read`,
    );
  }
  if (known === undefined) return null;
  const [kind] = known;
  if (files[kind] !== undefined) {
    throw new PolisFormatError({ file: archive }, `${FILE_NAMES[kind]} is there twice`);
  }
  if (entry.size > limits.fileBytes) throw tooLarge(FILE_NAMES[kind], limits.fileBytes);
  return kind;
}

function tooLarge(file: string, bytes: number): PolisFormatError {
  return new PolisFormatError({ file }, `larger than ${bytes.toLocaleString('en')} bytes`);
}

function damaged(archive: string, cause: unknown): PolisFormatError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PolisFormatError({ file: archive }, `the archive is damaged or cut short: ${reason}`, {
    cause,
  });
}
