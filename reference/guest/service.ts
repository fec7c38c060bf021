/** What the requests on `services` have in common: each is a service that is told what follows, and ends once. */
import type { ServiceEnd, ServiceReply, ServiceRequest } from '#reference/contract/guest-protocol.ts';

export type End = Omit<ServiceEnd, 'id'>;
export type Part = ServiceReply extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

export interface Service {
  /** Why it is not in place, or null. */
  follow(request: ServiceRequest): string | null;
  /** Soon `ended` tells so. Idempotent. */
  cancel(): void;
  /** Never rejects for what the host or the workload did. */
  readonly ended: Promise<End>;
}

/** Sends a part of the answer; ends when it is with the kernel. */
export type Tell = (part: Part) => Promise<void>;

/** The name of an error and nothing else. */
export function failure(what: string, error: unknown): End {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') throw error;
  return { ok: false, error: `${what}: ${code}` };
}
