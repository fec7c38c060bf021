/**
 * Wires a sandbox server over a fork engine, and tells where it is: `server.json` and `token` in its folder, which only
 * its user reads.
 */
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import type { Log } from '#reference/base/log.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { freshToken } from '../sandbox-server/bearer-token.ts';
import type { GuestImage } from '../sandbox-server/routes.ts';
import { startSandboxServer } from '../sandbox-server/sandbox-server.ts';
import { type CgroupMode, type NetworkMode, openEngine } from './open-engine.ts';

export interface ServeOptions {
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly network: NetworkMode;
  readonly images: Readonly<Record<string, GuestImage>>;
  readonly rootfsFolder: string | null;
  readonly volumesFolder: string | null;
  readonly host: string;
  readonly port: number;
  readonly maxVms?: number;
  readonly maxStateMiB?: number;
  readonly cgroups?: CgroupMode;
  readonly bootSeconds?: number;
  readonly gateSeconds?: number;
  readonly storageKeyFile?: string;
  readonly log: Log;
}

export interface ServedSandboxes {
  readonly url: string;
  readonly tokenFile: string;
  close(): Promise<void>;
}

const ownerOnly = { mode: 0o600 } as const;

export async function serveSandboxes(options: ServeOptions): Promise<ServedSandboxes> {
  const { folder } = options;
  const engine = await openEngine(options);
  const [tokenFile, placeFile] = [`${folder}/token`, `${folder}/server.json`];
  try {
    const token = freshToken();
    const server = await startSandboxServer({ ...options, engine, token });
    await writeFile(tokenFile, token, ownerOnly);
    // One that was there may have had another mode.
    await chmod(tokenFile, ownerOnly.mode);
    await writeFile(placeFile, JSON.stringify({ url: server.url }), ownerOnly);
    return {
      url: server.url,
      tokenFile,
      close: async () => {
        await Promise.all([rm(placeFile, { force: true }), rm(tokenFile, { force: true })]);
        await server.close();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Where a server of this folder listens, and its token; null: there is none. */
export async function servedAt(
  folder: string,
): Promise<{ readonly url: string; readonly token: string } | null> {
  try {
    const { url } = JSON.parse(await readFile(`${folder}/server.json`, 'utf8')) as { url: string };
    const token = await readFile(`${folder}/token`, 'utf8');
    const { ok } = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(10_000) });
    return ok ? { url, token } : null;
  } catch {
    // No file, or nobody who listens: a killed server leaves both files.
    return null;
  }
}
