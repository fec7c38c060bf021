/** Sandboxes: forked from a template, forked again while they run, listed, ended. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Secret } from '#reference/contract/fork-engine-port.ts';
import { defaultLifetime } from './lifetimes.ts';
import {
  type ForksBody,
  forksBody,
  type IdParameters,
  idParameters,
  type SandboxBody,
  sandboxBody,
} from './requests.ts';
import { described, type Routes } from './routes.ts';
import { withVolumes } from './volume-routes.ts';

const tag = 'sandboxes';

export const sandboxRoutes: Routes = (server, parts) => {
  const { engine, lifetimes, metrics } = parts;
  server.post<{ Body: SandboxBody }>(
    '/v1/sandboxes',
    {
      schema: {
        ...described('Fork a template; ends when the fork has passed the gate and is released', tag),
        body: sandboxBody,
      },
    },
    async ({ body }, reply) => {
      const { template, network, secrets } = body;
      const sandbox = await withVolumes(parts, body.volumes ?? [], (volumes) =>
        engine.fork({
          template,
          network:
            network === undefined
              ? null
              : { egress: network.egress, allow: network.allow ?? [], inbound: [] },
          secrets: (secrets ?? []) as readonly Secret[],
          volumes,
        }),
      );
      lifetimes.begin(sandbox.id, {
        ttlMs: body.ttlSeconds === undefined ? defaultLifetime.ttlMs : body.ttlSeconds * 1_000,
        idleMs: body.idleSeconds === undefined ? defaultLifetime.idleMs : body.idleSeconds * 1_000,
      });
      metrics.forked(sandbox);
      return reply.status(201).send(sandbox);
    },
  );
  server.get('/v1/sandboxes', { schema: described('The sandboxes that are released', tag) }, async () => ({
    sandboxes: engine.sandboxes(),
  }));
  server.get<{ Params: IdParameters }>(
    '/v1/sandboxes/:id',
    { schema: { ...described('One sandbox', tag), params: idParameters } },
    async ({ params }) => {
      const sandbox = engine.sandboxes().find(({ id }) => id === params.id);
      if (sandbox !== undefined) return sandbox;
      throw new CodedError(
        'no-such-sandbox',
        'there is no sandbox of that id',
        'fork one; it may have ended',
      );
    },
  );
  server.post<{ Params: IdParameters; Body: ForksBody }>(
    '/v1/sandboxes/:id/forks',
    {
      schema: {
        ...described('Freeze a sandbox and go on from there several times, itself included', tag),
        params: idParameters,
        body: forksBody,
      },
    },
    async ({ params, body }, reply) => {
      const endUse = lifetimes.use(params.id);
      try {
        const { replicas, allowSecretInheritance, pauseSource } = body;
        const sandboxes = await engine.forkSandbox(params.id, {
          replicas,
          allowSecretInheritance: allowSecretInheritance === true,
          pauseSource: pauseSource === true,
        });
        for (const sandbox of sandboxes) {
          lifetimes.begin(sandbox.id, defaultLifetime);
          metrics.forked(sandbox);
        }
        return reply.status(201).send({ sandboxes });
      } finally {
        endUse();
      }
    },
  );
  server.delete<{ Params: IdParameters }>(
    '/v1/sandboxes/:id',
    {
      schema: { ...described('End a sandbox; ends when nothing of it is left', tag), params: idParameters },
    },
    async ({ params }, reply) => {
      await engine.terminate(params.id);
      return reply.status(204).send();
    },
  );
};
