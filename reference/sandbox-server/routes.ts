/** What the routes of the sandbox server share: the engine, the lives of sandboxes, and counts. */
import type { FastifyInstance } from 'fastify';
import type { Log } from '#reference/base/log.ts';
import type { ForkEnginePort, PinnedFile } from '#reference/contract/fork-engine-port.ts';
import type { Lifetimes } from './lifetimes.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { VolumeFolder } from './volume-folder.ts';

/** What a template boots from, by name: no client names a path of the host. */
export interface GuestImage {
  readonly kernel: PinnedFile;
  readonly initrd: PinnedFile;
  readonly commandLine: string;
}

export interface RouteParts {
  readonly engine: ForkEnginePort;
  readonly images: Readonly<Record<string, GuestImage>>;
  /** Folders in it can be put over an image; null: none. */
  readonly rootfsFolder: string | null;
  /** null: no sandbox has volumes. */
  readonly volumes: VolumeFolder | null;
  readonly lifetimes: Lifetimes;
  readonly metrics: ServerMetrics;
  readonly log: Log;
}

export type Routes = (server: FastifyInstance, parts: RouteParts) => void;

/** For `schema`: what the description says of a route. */
export const described = (summary: string, tag: string) => ({ summary, tags: [tag] });
