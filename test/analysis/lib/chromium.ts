import { execFile, spawn } from 'node:child_process';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/*
 * A headless Chromium, driven over its own protocol: nothing has to be installed but the browser.
 *
 * CHROMIUM_PATH names one; otherwise it is looked for in PATH, and where there is none and apt-get
 * may be used (as root, or with sudo that asks for no password), Debian's package is installed.
 */

export interface Page {
  /** The value of an expression, evaluated in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** The width of the window in CSS pixels. */
  setWidth(width: number): Promise<void>;
  setDark(dark: boolean): Promise<void>;
  /** A picture of the whole page, as a PNG. */
  screenshot(): Promise<Buffer>;
  /** What the page has complained about: errors, refused resources. */
  complaints: string[];
}

export interface Browser {
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const run = promisify(execFile);

/** Starts Chromium. @throws Error that says what to do when there is none. */
export async function startChromium(): Promise<Browser> {
  const path = process.env.CHROMIUM_PATH || (await find()) || (await install());
  const profile = await mkdtemp(join(tmpdir(), 'millrace-chromium-'));
  const child = spawn(
    path,
    [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const address = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /DevTools listening on (ws:\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`Chromium ended with ${code}: ${output}`)));
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const connection = await connect(address);
  return {
    open: (url) => openPage(connection, url),
    async close() {
      connection.close();
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function find(): Promise<string | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      const usable = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (usable) return path;
    }
  }
  return null;
}

async function install(): Promise<string> {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = async (...args: string[]) => {
    const [command, ...rest] = [...sudo, 'apt-get', ...args] as [string, ...string[]];
    await run(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  try {
    await apt('update', '-q');
    await apt('install', '-q', '-y', '--no-install-recommends', 'chromium');
  } catch (error) {
    throw new Error(
      'There is no Chromium, and it cannot be installed here: install one, or name it in ' +
        'CHROMIUM_PATH',
      { cause: error },
    );
  }
  return (await find()) as string;
}

interface Connection {
  send<T>(method: string, params?: object, sessionId?: string): Promise<T>;
  onEvent(sessionId: string, listener: (method: string, params: EventParams) => void): void;
  close(): void;
}

interface EventParams {
  entry?: { level: string; text: string };
  exceptionDetails?: { text: string };
  type?: string;
}

async function connect(address: string): Promise<Connection> {
  const socket = new WebSocket(address);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`no connection to ${address}`));
  });
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const listeners = new Map<string, (method: string, params: EventParams) => void>();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data));
    if (message.id === undefined)
      listeners.get(message.sessionId)?.(message.method, message.params);
    else if (message.error) pending.get(message.id)?.reject(new Error(message.error.message));
    else pending.get(message.id)?.resolve(message.result);
  };
  let last = 0;
  return {
    send<T>(method: string, params: object = {}, sessionId?: string) {
      last += 1;
      const id = last;
      const answer = new Promise<T>((resolve, reject) => {
        pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      });
      socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
      return answer;
    },
    onEvent: (sessionId, listener) => void listeners.set(sessionId, listener),
    close: () => socket.close(),
  };
}

async function openPage(connection: Connection, url: string): Promise<Page> {
  const { targetId } = await connection.send<{ targetId: string }>('Target.createTarget', {
    url: 'about:blank',
  });
  const { sessionId } = await connection.send<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  const complaints: string[] = [];
  const loaded = Promise.withResolvers<void>();
  connection.onEvent(sessionId, (method, { entry, exceptionDetails, type }) => {
    if (method === 'Page.loadEventFired') loaded.resolve();
    if (method === 'Log.entryAdded' && entry?.level === 'error') complaints.push(entry.text);
    if (method === 'Runtime.exceptionThrown') complaints.push(exceptionDetails?.text ?? '');
    if (method === 'Runtime.consoleAPICalled' && type === 'error') complaints.push('console.error');
  });
  const send = <T>(method: string, params?: object) =>
    connection.send<T>(method, params, sessionId);
  for (const domain of ['Page', 'Log', 'Runtime']) await send(`${domain}.enable`);
  await send('Page.navigate', { url });
  await loaded.promise;
  return {
    complaints,
    async evaluate<T>(expression: string) {
      const { result, exceptionDetails } = await send<{
        result: { value: T };
        exceptionDetails?: { exception?: { description?: string } };
      }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description);
      return result.value;
    },
    async setWidth(width) {
      await send('Emulation.setDeviceMetricsOverride', {
        width,
        height: 900,
        deviceScaleFactor: 1,
        mobile: false,
      });
    },
    async setDark(dark) {
      await send('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
      });
    },
    async screenshot() {
      const { data } = await send<{ data: string }>('Page.captureScreenshot', {
        captureBeyondViewport: true,
      });
      return Buffer.from(data, 'base64');
    },
  };
}
