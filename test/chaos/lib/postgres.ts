import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** kill -9 of a whole server: the postmaster and all of its processes, without a chance to tidy up. */
export async function killPostgres(dataDir: string): Promise<void> {
  const [pid] = (await readFile(`${dataDir}/postmaster.pid`, 'utf8')).split('\n');
  const postmaster = Number(pid);
  for (const process_ of [postmaster, ...(await childrenOf(postmaster))]) {
    try {
      process.kill(process_, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  if (process.platform === 'linux') {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.trim().split(' ').map(Number);
  }
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (child && parent === pid ? [child] : []));
}
