/** Templates: built, listed, kept ready, removed. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import {
  type IdParameters,
  idParameters,
  type ReadyBody,
  readyBody,
  type TemplateBody,
  templateBody,
} from './requests.ts';
import { described, type RouteParts, type Routes } from './routes.ts';

const tag = 'templates';

export const templateRoutes: Routes = (server, parts) => {
  const { engine } = parts;
  server.post<{ Body: TemplateBody }>(
    '/v1/templates',
    {
      schema: {
        ...described('Build a template, or hand out the one that stands; ends when it is there', tag),
        body: templateBody,
      },
    },
    async ({ body }, reply) => reply.status(201).send(await engine.buildTemplate(specOf(body, parts))),
  );
  server.get('/v1/templates', { schema: described('The templates that stand', tag) }, async () => ({
    templates: engine.templates(),
  }));
  server.put<{ Params: IdParameters; Body: ReadyBody }>(
    '/v1/templates/:id/ready',
    {
      schema: {
        ...described('Keep so many forks prepared', tag),
        params: idParameters,
        body: readyBody,
      },
    },
    async ({ params, body }, reply) => {
      await engine.keepReady(params.id, body.forks, body.rehearsed ?? false);
      return reply.status(204).send();
    },
  );
  server.delete<{ Params: IdParameters }>(
    '/v1/templates/:id',
    { schema: { ...described('Remove a template; its sandboxes go on', tag), params: idParameters } },
    async ({ params }, reply) => {
      await engine.removeTemplate(params.id);
      return reply.status(204).send();
    },
  );
};

/** @throws CodedError `no-such-image`, `bad-rootfs` */
export function specOf(
  body: TemplateBody,
  { images, rootfsFolder }: Pick<RouteParts, 'images' | 'rootfsFolder'>,
): TemplateSpec {
  const name = body.image ?? 'default';
  const image = Object.hasOwn(images, name) ? images[name] : undefined;
  if (image === undefined) {
    throw new CodedError(
      'no-such-image',
      `there is no image ${name}`,
      `choose one of ${Object.keys(images).join(', ')}`,
    );
  }
  if (body.rootfs !== undefined && rootfsFolder === null) {
    throw new CodedError(
      'bad-rootfs',
      'this server has no folder of root file systems',
      'start it with --rootfs-folder',
    );
  }
  return {
    ...image,
    rootfs: body.rootfs === undefined ? null : `${rootfsFolder}/${body.rootfs}`,
    memoryMiB: body.memoryMiB ?? 512,
    cpus: body.cpus ?? 1,
    init: (body.init ?? []).map(({ argv, env, cwd, timeoutMs, background }) => ({
      argv,
      timeout_ms: timeoutMs ?? 60_000,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(background === true ? { background: true as const } : {}),
    })),
    allowProcesses: (body.allowProcesses ?? []).map((comm) => ({ comm })),
    volumes: body.volumes ?? [],
  };
}
