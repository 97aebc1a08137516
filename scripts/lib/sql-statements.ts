/** One statement of a SQL file, with its semicolon; `offset` is where it begins in the file. */
export interface SqlStatement {
  text: string;
  offset: number;
}

/**
 * Splits SQL into its statements as psql does: a semicolon ends one unless it stands in a string, a
 * quoted name, a dollar-quoted body, a comment, parentheses or a `begin atomic … end` body. Comments
 * in front of a statement are left out, so that its offset is the line a person looks at.
 *
 * Files are run statement by statement because only then an error at run time names its place.
 */
export function splitStatements(sql: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let start = -1;
  let depth = 0;
  let blocks = 0;
  let words: string[] = [];
  let at = 0;
  while (at < sql.length) {
    const skipped = skipBlank(sql, at);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    if (start < 0) start = at;
    const character = sql[at] as string;
    const end = endOfQuoted(sql, at);
    if (end > at) {
      at = end;
    } else if (character === '(' || character === ')') {
      depth += character === '(' ? 1 : -1;
      at += 1;
    } else if (character === ';') {
      at += 1;
      if (depth <= 0 && blocks === 0) {
        // A lone semicolon is no statement.
        if (at - start > 1) statements.push({ text: sql.slice(start, at), offset: start });
        start = -1;
        depth = 0;
        words = [];
      }
    } else if (isWordStart(character)) {
      const word = (/^[\w$\u0080-\uffff]+/.exec(sql.slice(at, at + 128)) as RegExpExecArray)[0];
      if (words.length < 4) words.push(word.toLowerCase());
      if (depth <= 0 && isRoutine(words)) blocks = nesting(blocks, word.toLowerCase());
      at += word.length;
    } else {
      at += 1;
    }
  }
  if (start >= 0) statements.push({ text: sql.slice(start).trimEnd(), offset: start });
  return statements;
}

/** Statements that would end the transaction that a file runs in. */
export function endsTransaction(statement: SqlStatement): boolean {
  return /^(begin|commit|end|rollback(?!\s+to)|abort|start\s+transaction|prepare\s+transaction)\b/i.test(
    statement.text,
  );
}

function skipBlank(sql: string, at: number): number {
  if (/\s/.test(sql[at] as string)) return at + 1;
  if (sql.startsWith('--', at)) {
    const end = sql.indexOf('\n', at);
    return end < 0 ? sql.length : end;
  }
  if (!sql.startsWith('/*', at)) return at;
  // Comments nest.
  let depth = 0;
  let position = at;
  do {
    if (sql.startsWith('/*', position)) depth += 1;
    else if (sql.startsWith('*/', position)) depth -= 1;
    position += sql.startsWith('/*', position) || sql.startsWith('*/', position) ? 2 : 1;
  } while (depth > 0 && position < sql.length);
  return position;
}

/** End of the string, quoted name or dollar-quoted body that begins here; `at` when none does. */
function endOfQuoted(sql: string, at: number): number {
  const character = sql[at] as string;
  if (character === "'" || character === '"') return endOfString(sql, at + 1, character, false);
  if ((character === 'e' || character === 'E') && sql[at + 1] === "'") {
    return endOfString(sql, at + 2, "'", true);
  }
  if (character === '$') {
    const tag = /^\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/.exec(
      sql.slice(at, at + 66),
    )?.[0];
    if (tag) {
      const end = sql.indexOf(tag, at + tag.length);
      return end < 0 ? sql.length : end + tag.length;
    }
  }
  return at;
}

function endOfString(sql: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from; at < sql.length; at += 1) {
    if (escapes && sql[at] === '\\') at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}

function isWordStart(character: string): boolean {
  return /[A-Za-z_\u0080-\uffff]/.test(character);
}

/** `create [or replace] function|procedure`: only there `begin … end` encloses statements. */
function isRoutine(words: string[]): boolean {
  const [first, second, third, fourth] = words;
  const kind = second === 'or' && third === 'replace' ? fourth : second;
  return first === 'create' && (kind === 'function' || kind === 'procedure');
}

function nesting(blocks: number, word: string): number {
  if (word === 'begin') return blocks + 1;
  if (blocks === 0) return 0;
  if (word === 'case') return blocks + 1;
  return word === 'end' ? blocks - 1 : blocks;
}
