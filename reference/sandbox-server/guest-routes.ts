/**
 * What is done in a sandbox: exec as lines of JSON while it runs, files as octets.
 * Invariant: a client that hangs up ends what it asked for; an answer that was begun and fails is cut off.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { CodedError } from '#reference/base/coded-error.ts';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import {
  type ExecBody,
  execBody,
  type FileQuery,
  fileQuery,
  type IdParameters,
  idParameters,
} from './requests.ts';
import { described, type RouteParts, type Routes } from './routes.ts';
import { StreamedAnswer } from './streamed-answer.ts';

/** Of a file that is read or written in one request. */
const maxFileOctets = 1 << 30;
const octets = 'application/octet-stream';

const shown = (text: string | undefined) => (text ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, 500);

function refusedBy(end: RequestEnd): CodedError {
  const remedy = 'see what it says; ENOENT: there is none of that name';
  return new CodedError('guest-refused', `the guest refused: ${shown(end.error)}`, remedy);
}

export const guestRoutes: Routes = (server, parts) => {
  const { engine, lifetimes } = parts;
  const inUse = async <T>(id: string, act: () => Promise<T>): Promise<T> => {
    const endUse = lifetimes.use(id);
    try {
      return await act();
    } finally {
      endUse();
    }
  };
  server.post<{ Params: IdParameters; Body: ExecBody }>(
    '/v1/sandboxes/:id/exec',
    {
      schema: {
        ...described(
          'Run a program: lines of JSON, {"stream","data"} in base64 as they come, then one {"end"}',
          'guest',
        ),
        params: idParameters,
        body: execBody,
      },
    },
    ({ params, body }, reply) => inUse(params.id, () => exec(parts, params.id, body, reply)),
  );
  server.get<{ Params: IdParameters; Querystring: FileQuery }>(
    '/v1/sandboxes/:id/files',
    { schema: { ...described('Read a file', 'guest'), params: idParameters, querystring: fileQuery } },
    ({ params, query }, reply) => inUse(params.id, () => readFile(parts, params.id, query.path, reply)),
  );
  server.put<{ Params: IdParameters; Querystring: FileQuery; Body: unknown }>(
    '/v1/sandboxes/:id/files',
    {
      bodyLimit: maxFileOctets,
      schema: {
        ...described('Write a file, whole or not at all', 'guest'),
        params: idParameters,
        querystring: fileQuery,
      },
    },
    ({ params, query, body }, reply) =>
      inUse(params.id, async () => {
        const mode = Number.parseInt(query.mode ?? '644', 8);
        const end = await engine.writeFile(params.id, query.path, mode, bounded(octetsIn(body)));
        if (!end.ok) throw refusedBy(end);
        return reply.status(204).send();
      }),
  );
  server.delete<{ Params: IdParameters; Querystring: FileQuery }>(
    '/v1/sandboxes/:id/files',
    {
      schema: {
        ...described('Remove a file, a link or an empty folder', 'guest'),
        params: idParameters,
        querystring: fileQuery,
      },
    },
    ({ params, query }, reply) =>
      inUse(params.id, async () => {
        const end = await engine.ask(params.id, 'remove', query.path);
        if (!end.ok) throw refusedBy(end);
        return reply.status(204).send();
      }),
  );
  server.get<{ Params: IdParameters; Querystring: FileQuery }>(
    '/v1/sandboxes/:id/files/list',
    { schema: { ...described('List a folder', 'guest'), params: idParameters, querystring: fileQuery } },
    ({ params, query }) =>
      inUse(params.id, async () => {
        const { entries, ...end } = await engine.list(params.id, query.path);
        if (!end.ok) throw refusedBy(end);
        return { entries, truncated: end.truncated === true };
      }),
  );
  server.get<{ Params: IdParameters; Querystring: FileQuery }>(
    '/v1/sandboxes/:id/files/stat',
    { schema: { ...described('What a path is', 'guest'), params: idParameters, querystring: fileQuery } },
    ({ params, query }) =>
      inUse(params.id, async () => {
        const end = await engine.ask(params.id, 'stat', query.path);
        if (!end.ok || end.entry === undefined) throw refusedBy(end);
        return end.entry;
      }),
  );
};

async function exec({ engine }: RouteParts, id: string, body: ExecBody, reply: FastifyReply): Promise<void> {
  const { argv, env, cwd, stdin, maxProcesses, maxMemoryOctets } = body;
  let answer: StreamedAnswer | null = null;
  const running = engine.exec(
    id,
    {
      argv,
      timeout_ms: body.timeoutMs ?? 60_000,
      max_output_octets: body.maxOutputOctets ?? 16 << 20,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(stdin === undefined ? {} : { stdin: true }),
      ...(maxProcesses === undefined ? {} : { max_processes: maxProcesses }),
      ...(maxMemoryOctets === undefined ? {} : { max_memory_octets: maxMemoryOctets }),
    },
    (stream, chunk) => answer?.write(`${JSON.stringify({ stream, data: chunk.toString('base64') })}\n`),
  );
  reply.hijack();
  answer = new StreamedAnswer(reply.raw, 'application/x-ndjson', () => running.cancel());
  answer.begin();
  try {
    if (stdin !== undefined) {
      const given = running.stdin(Buffer.from(stdin, 'base64')).then(() => running.stdinEnd());
      await Promise.race([given, running.ended]);
    }
    const end = await running.ended;
    await answer.write(`${JSON.stringify({ end })}\n`);
    answer.end();
  } catch (error) {
    // The status is out: the last line says why there is no end.
    const code = error instanceof CodedError ? error.code : 'internal';
    await answer.write(`${JSON.stringify({ failed: code })}\n`).catch(() => undefined);
    answer.end();
  }
}

async function readFile(
  { engine }: RouteParts,
  id: string,
  path: string,
  reply: FastifyReply,
): Promise<void> {
  const answer = new StreamedAnswer(reply.raw, octets, () => undefined);
  const end = await engine
    .readFile(id, path, maxFileOctets, (_stream, chunk) => answer.write(chunk))
    .catch((error: unknown) => {
      if (!answer.hasBegun) throw error;
      return { ok: false };
    });
  if (!end.ok && !answer.hasBegun) throw refusedBy(end);
  reply.hijack();
  if (end.ok) answer.end();
  else answer.abort();
}

/** @throws CodedError `bad-request` when it came as JSON, or not at all */
function octetsIn(body: unknown): AsyncIterable<Uint8Array> {
  if (body instanceof Readable) return body;
  throw new CodedError('bad-request', 'there are no octets of a file', `send them as content-type ${octets}`);
}

async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = maxFileOctets;
  for await (const chunk of body) {
    left -= chunk.length;
    if (left < 0)
      throw new CodedError('bad-request', 'the file is too large', `send at most ${maxFileOctets} octets`);
    yield chunk;
  }
}
