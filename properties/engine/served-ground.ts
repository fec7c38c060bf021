/** A sandbox server over an engine on the fake VMM, and a client of it. */
import { expect } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { freshToken } from '#reference/sandbox-server/bearer-token.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { startSandboxServer } from '#reference/sandbox-server/sandbox-server.ts';
import type { Engine, EngineGround } from './engine-ground.ts';

const log = openLog('test', 'silent');

export interface Served extends Engine {
  readonly url: string;
  readonly token: string;
  readonly client: SandboxClient;
  close(): Promise<void>;
}

export async function serve(
  ground: EngineGround,
  options: Parameters<EngineGround['start']>[0] = {},
  volumesFolder: string | null = null,
): Promise<Served> {
  const engine = await ground.start(options);
  const token = freshToken();
  const { kernel, initrd, commandLine } = ground.spec();
  const server = await startSandboxServer({
    ...{ engine: engine.forkd, images: { default: { kernel, initrd, commandLine } }, rootfsFolder: null },
    ...{ token, volumesFolder, host: '127.0.0.1', port: 0, log },
  });
  return {
    ...engine,
    ...{ url: server.url, token, client: new SandboxClient(server.url, token) },
    close: async () => {
      await server.close();
      await engine.forkd.close();
    },
  };
}

/** As the client tells it. */
export const refusal = (status: number, told: string) =>
  expect.objectContaining({ code: 'server-refused', status, told });
