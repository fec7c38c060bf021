/**
 * The fork engine behind HTTP for one user of one machine: loopback, one bearer token.
 * Invariant: nothing but /healthz is answered without the token; every request, body and sandbox has a bound.
 */
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import type { ForkEnginePort } from '#reference/contract/fork-engine-port.ts';
import { BearerToken } from './bearer-token.ts';
import { bodyFault } from './body-fault.ts';
import { answerOf } from './error-answer.ts';
import { guestRoutes } from './guest-routes.ts';
import { Lifetimes } from './lifetimes.ts';
import type { GuestImage, RouteParts } from './routes.ts';
import { sandboxRoutes } from './sandbox-routes.ts';
import { ServerMetrics } from './server-metrics.ts';
import { templateRoutes } from './template-routes.ts';
import { VolumeFolder } from './volume-folder.ts';
import { volumeRoutes } from './volume-routes.ts';

export interface SandboxServerOptions {
  readonly engine: ForkEnginePort;
  readonly images: Readonly<Record<string, GuestImage>>;
  readonly rootfsFolder: string | null;
  /** Images in it can be given to sandboxes; none: no sandbox has volumes. */
  readonly volumesFolder?: string | null;
  readonly token: string;
  /** A loopback address. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
}

export interface SandboxServer {
  readonly url: string;
  /** Ends connections and sandboxes; the engine is the caller's. */
  close(): Promise<void>;
}

const bodyLimit = 1 << 20;
const maxConnections = 256;
/** Requests under way at once; one more is refused. */
const maxRequests = 128;
const headersTimeoutMs = 10_000;
/** To be received whole, a large file included. */
const requestTimeoutMs = 600_000;
const loopback = /^(127(\.\d{1,3}){3}|::1)$/;

/** @throws CodedError `bad-flag`, `bad-folder`, `address-taken` */
export async function startSandboxServer(options: SandboxServerOptions): Promise<SandboxServer> {
  const { engine, images, rootfsFolder, host, port, log } = options;
  if (!loopback.test(host)) {
    throw new CodedError(
      'bad-flag',
      `${host} is no loopback address`,
      'listen on 127.0.0.1 or ::1; others come through a tunnel',
    );
  }
  const { volumesFolder = null } = options;
  const volumes = volumesFolder === null ? null : VolumeFolder.open(volumesFolder);
  const lifetimes = new Lifetimes((id) => engine.terminate(id), log);
  engine.onEnded((id) => lifetimes.forget(id));
  const metrics = new ServerMetrics(engine);
  const parts: RouteParts = { engine, images, rootfsFolder, volumes, lifetimes, metrics, log };
  const bearer = new BearerToken(options.token);
  const server = fastify({
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    // Whatever the router refuses by itself is nobody's to see without the token either.
    frameworkErrors: (error, request, reply) => {
      const isKnown = bearer.admits(request.headers.authorization);
      const { status, body } = answerOf(isKnown ? error : unauthorized());
      reply.hijack();
      reply.raw.writeHead(status, { 'content-type': 'application/json', ...headersOf(status) });
      reply.raw.end(JSON.stringify(body));
    },
    routerOptions: { maxParamLength: 100 },
    schemaErrorFormatter: (errors, part) => new Error(bodyFault(errors, part)),
  });
  server.server.maxConnections = maxConnections;
  server.server.headersTimeout = headersTimeoutMs;
  server.addHook('onClose', async () => volumes?.close());
  guard(server, bearer, log, metrics);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'huskproof sandbox server', version: '1' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  // Nothing but JSON and octets: text would be a file that is read whole.
  server.removeContentTypeParser('text/plain');
  // A file is passed on as it comes.
  server.addContentTypeParser('application/octet-stream', (_request, body, done) => done(null, body));
  await server.register(async (scope) => {
    for (const routes of [templateRoutes, sandboxRoutes, guestRoutes, volumeRoutes]) routes(scope, parts);
    scope.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
      reply.type('text/plain; version=0.0.4').send(await metrics.text()),
    );
    scope.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
    scope.get('/healthz', { schema: { hide: true } }, async () => ({ ok: true, vmm: engine.vmm }));
  });
  const url = await listenOn(server, host, port);
  return {
    url,
    close: async () => {
      lifetimes.close();
      await server.close();
    },
  };
}

async function listenOn(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    await server.close();
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new CodedError(
      'address-taken',
      `another process listens on ${host} port ${port}`,
      'see who with ss -lntp; end it, or name another port (0 takes a free one)',
      { cause },
    );
  }
}

const unauthorized = () =>
  new CodedError(
    'unauthorized',
    'the bearer token is missing or wrong',
    'send Authorization: Bearer and the token of the server',
  );

/** Who may ask, how many at once, and what an error looks like. */
function guard(server: FastifyInstance, bearer: BearerToken, log: Log, metrics: ServerMetrics): void {
  let underWay = 0;
  server.addHook('onRequest', async (request, reply) => {
    if (request.url === '/healthz') return;
    if (!bearer.admits(request.headers.authorization)) {
      throw unauthorized();
    }
    if (underWay >= maxRequests) {
      throw new CodedError(
        'too-many-requests',
        `${maxRequests} requests are under way`,
        'try again when one of them has ended',
      );
    }
    underWay += 1;
    reply.raw.once('close', () => {
      underWay -= 1;
    });
  });
  server.addHook('onResponse', async (request, reply) => {
    metrics.answered(request.routeOptions.url ?? 'none', reply.statusCode);
  });
  server.setNotFoundHandler(async (_request, reply) =>
    reply
      .status(404)
      .send({ code: 'no-such-route', message: 'there is no such route', remedy: 'see /openapi.json' }),
  );
  server.setErrorHandler(async (error, request, reply) => {
    const { status, body } = answerOf(error);
    metrics.refused(body.code);
    if (status >= 500) log.error({ route: request.routeOptions.url, err: error }, 'request failed');
    return reply.headers(headersOf(status)).status(status).send(body);
  });
}

function headersOf(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  return status === 429 || status === 503 ? { 'retry-after': '1' } : {};
}
