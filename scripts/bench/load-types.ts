/** A prepared statement of the load; `values` are its parameters unless it casts votes. */
export interface LoadStatement {
  name: string;
  text: string;
  values?: readonly string[];
}

export interface LoadOptions {
  connectionString: string;
  /** application_name of the connections. */
  name: string;
  connections: number;
  /** Number of this thread's first connection among all. */
  first: number;
  /** Each connection runs them in turn. */
  statements: readonly LoadStatement[];
  /** How parameters of votes are made; null: the statements have their own. */
  votes: {
    clients: number;
    conversation: string;
    firstOpinion: number;
    opinions: number;
    firstVoter: number;
    votesPerVoter: number;
  } | null;
}

/** Runs for a while: `rate` is statements a second of the whole thread, null as many as possible. */
export type LoadCommand = { warmUpMs: number; measureMs: number; rate: number | null } | 'close';

export interface Latency {
  name: string;
  samples: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

export interface LoadResult {
  /** Statements that ended inside of the measured window. */
  committed: number;
  failed: number;
  firstError: string | null;
  latencies: Latency[];
}
