import { parentPort } from 'node:worker_threads';
import { type AnalysisInput, analyze } from './analyze.ts';

/*
 * The analysis in a thread of its own: takes an input, posts the result or what went wrong.
 */

export type ThreadAnswer = { result: ReturnType<typeof analyze> } | { error: unknown };

const port = parentPort;
if (port === null) throw new Error('this runs as a worker thread');

port.on('message', (input: AnalysisInput) => {
  let answer: ThreadAnswer;
  try {
    answer = { result: analyze(input) };
  } catch (error) {
    answer = { error };
  }
  port.postMessage(answer);
});
