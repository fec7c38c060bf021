/** Every bound of the proxy, in one place: what is more fails closed, for whoever asked for more. */

export interface ProxyLimits {
  /** Questions of guests that wait for an answer, in all. */
  readonly maxInFlight: number;
  /** … of one sandbox, whatever addresses it asks from. */
  readonly maxInFlightPerSandbox: number;
  /** … of one address. */
  readonly maxInFlightPerClient: number;
  /** Addresses of one sandbox that are kept apart. */
  readonly maxClientsPerSandbox: number;
  /** Answers a second and client to what is malformed or too much; beyond it there is silence. */
  readonly complaintsPerSecond: number;
  /** One attempt at an upstream server waits so long. */
  readonly attemptMs: number;
  /** … and so long over TCP, the connection included. */
  readonly streamAttemptMs: number;
  /** Attempts for one question, over all servers and both transports. */
  readonly maxAttempts: number;
  /** Time-outs in a row after which a server counts as down. */
  readonly timeoutsUntilDown: number;
  /** A server that is down is tried again so often, by one question. */
  readonly probeEveryMs: number;
  /** Replies that are kept, for one sandbox; 0 switches the cache off. */
  readonly cacheEntries: number;
  readonly cacheOctets: number;
  readonly ttlFloorSeconds: number;
  readonly ttlCeilingSeconds: number;
  readonly maxPinsPerAnswer: number;
  readonly maxElementsPerSet: number;
  /** Lines of refusals a second in the log; what is more is counted. */
  readonly refusalsLoggedPerSecond: number;
  /** After SIGTERM what is under way has so long. */
  readonly drainMs: number;
}

export const proxyLimits: ProxyLimits = {
  maxInFlight: 16_384,
  maxInFlightPerSandbox: 4_096,
  maxInFlightPerClient: 512,
  maxClientsPerSandbox: 1_024,
  complaintsPerSecond: 100,
  attemptMs: 1_000,
  streamAttemptMs: 2_000,
  maxAttempts: 4,
  timeoutsUntilDown: 3,
  probeEveryMs: 5_000,
  cacheEntries: 512,
  cacheOctets: 256 * 1_024,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
  maxElementsPerSet: 1_024,
  refusalsLoggedPerSecond: 10,
  drainMs: 5_000,
};
