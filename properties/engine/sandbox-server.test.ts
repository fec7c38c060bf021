/** The sandbox server over the fake VMM, spoken to through its client and by strangers. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import { openLog } from '#reference/base/log.ts';
import { answerOf } from '#reference/sandbox-server/error-answer.ts';
import { Lifetimes } from '#reference/sandbox-server/lifetimes.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { startSandboxServer } from '#reference/sandbox-server/sandbox-server.ts';
import { EngineGround } from './engine-ground.ts';
import { refusal, serve } from './served-ground.ts';

const log = openLog('test', 'silent');

test('a template, a fork, exec, files and forks of forks, through the client', async () => {
  using ground = new EngineGround();
  const { client, close, vmm } = await serve(ground);
  const template = await client.buildTemplate();
  await client.keepReady(template.id, 1);
  const sandbox = await client.fork({ template: template.id });
  const { stdout, end } = await client.run(sandbox.id, { argv: ['echo', 'hello'] });
  expect([stdout.toString(), end]).toEqual(['hello', { ok: true, exit_code: 0 }]);
  const failed = await client.run(sandbox.id, { argv: ['fail'] });
  expect([failed.stderr.toString(), failed.end.exit_code]).toEqual(['no', 7]);
  expect((await client.run(sandbox.id, { argv: ['missing'] })).end).toEqual({
    ok: false,
    error: 'ENOENT: missing',
  });
  const octets = new Uint8Array(300_000).fill(7);
  await client.writeFile(sandbox.id, '/data', octets);
  await client.writeFile(sandbox.id, '/empty', new Uint8Array());
  expect((await client.statFile(sandbox.id, '/data')).kind).toBe('file');
  expect((await client.listFolder(sandbox.id, '/')).map(({ name }) => name)).toEqual(['/data', '/empty']);
  expect((await client.readFile(sandbox.id, '/empty')).length).toBe(0);
  await expect(client.readFile(sandbox.id, '/none')).rejects.toThrow(refusal(422, 'guest-refused'));
  const [child] = await client.forkSandbox(sandbox.id, { replicas: 1 });
  expect((await client.statFile(child?.id ?? '', '/data')).kind).toBe('file');
  await client.removeFile(sandbox.id, '/data');
  await expect(client.statFile(sandbox.id, '/data')).rejects.toThrow(refusal(422, 'guest-refused'));
  expect(await client.metrics()).toContain('sandbox_server_sandboxes 2');
  await client.terminate(sandbox.id);
  await expect(client.run(sandbox.id, { argv: ['echo'] })).rejects.toThrow(refusal(404, 'no-such-sandbox'));
  await client.removeTemplate(template.id);
  await close();
  expect(vmm.live).toBe(0);
});

test('without the token nothing is answered but /healthz, whatever is asked', async () => {
  using ground = new EngineGround();
  const { url, token, close } = await serve(ground);
  const headers: (string | undefined)[] = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Basic ${token}`,
    token,
  ];
  for (const authorization of headers) {
    for (const [method, path] of [
      ['GET', '/v1/sandboxes'],
      ['POST', '/v1/templates'],
      ['GET', '/metrics'],
      ['GET', '/openapi.json'],
      ['GET', '/nothing'],
      ['GET', '/healthz/'],
      ['GET', '/healthz?x'],
      ['GET', '/%zz'],
      ['GET', `/v1/sandboxes/${'a'.repeat(200)}`],
    ]) {
      const response = await fetch(`${url}${path}`, {
        method: method ?? '',
        headers: authorization === undefined ? {} : { authorization },
      });
      expect([response.status, response.headers.get('www-authenticate')], `${authorization} ${path}`).toEqual(
        [401, 'Bearer'],
      );
      expect(await response.text()).not.toContain(token);
    }
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/v1/sandboxes`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(
    200,
  );
  await close();
});

test('requests that are none are refused with the field, and nothing is built or forked', async () => {
  using ground = new EngineGround();
  const { url, token, client, close, guest } = await serve(ground);
  const send = (path: string, body: string, type = 'application/json') =>
    fetch(`${url}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
    });
  for (const [path, body, status] of [
    ['/v1/templates', '{"kernel":"/etc/passwd"}', 400],
    ['/v1/templates', '{"rootfs":"../../etc"}', 400],
    ['/v1/templates', '{"rootfs":"name"}', 400],
    ['/v1/templates', '{"image":"other"}', 404],
    ['/v1/templates', '{"memoryMiB":"512"}', 400],
    ['/v1/templates', 'not JSON', 400],
    ['/v1/templates', `{"init":[{"argv":["${'x'.repeat(2 << 20)}"]}]}`, 413],
    ['/v1/sandboxes', '{}', 400],
    ['/v1/sandboxes', `{"template":"${'a'.repeat(64)}"}`, 404],
    ['/v1/sandboxes/../../x/exec', '{"argv":["echo"]}', 404],
    ['/v1/sandboxes/nobody/exec', '{"argv":["echo"]}', 404],
    ['/v1/sandboxes/nobody/exec', '{"argv":[]}', 400],
  ] as const) {
    const response = await send(path, body);
    expect(response.status, `${path} ${body.slice(0, 60)}`).toBe(status);
    expect(Object.keys((await response.json()) as object).toSorted()).toEqual(['code', 'message', 'remedy']);
  }
  expect(guest.boots).toBe(0);
  const { id } = await client.buildTemplate();
  await expect(client.fork({ template: id, network: { egress: 'deny' } })).rejects.toThrow(
    refusal(409, 'no-network'),
  );
  guest.lies.push('boolean');
  await expect(client.fork({ template: id })).rejects.toThrow(refusal(503, 'fork-refused'));
  await close();
});

test('a refusal names the field and what it may be; octets come as octets alone', async () => {
  using ground = new EngineGround();
  const { url, token, client, close } = await serve(ground);
  const template = await client.buildTemplate();
  const { id } = await client.fork({ template: template.id });
  const send = async (method: string, path: string, body?: string, type?: string) => {
    const response = await fetch(`${url}${path}`, {
      ...{ method, headers: { authorization: `Bearer ${token}`, ...(type && { 'content-type': type }) } },
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, ((await response.json()) as { message: string }).message];
  };
  const json = 'application/json';
  const volume = { serial: 'a', path: '/a', octets: 512, access: 'both' };
  for (const [body, message] of [
    [{ kernel: '/etc/passwd' }, 'body has no property kernel'],
    [{ ['x\u001b'.repeat(90)]: 1 }, `body has no property ${'x?'.repeat(40)}`],
    [{ volumes: [volume] }, 'body/volumes/0/access must be one of readonly, private'],
    [{ volumes: [{ ...volume, octets: 513 }] }, 'body/volumes/0/octets must be multiple of 512'],
    [{ volumes: [{ ...volume, path: undefined }] }, "body/volumes/0 must have required property 'path'"],
    [{ memoryMiB: 1 }, 'body/memoryMiB must be >= 64'],
  ] as const) {
    expect(await send('POST', '/v1/templates', JSON.stringify(body), json)).toEqual([400, message]);
  }
  for (const [path, status] of [
    ['/%zz', 400],
    [`/v1/sandboxes/${'a'.repeat(200)}`, 414],
  ] as const) {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([
      status,
      ['code', 'message', 'remedy'],
    ]);
  }
  const file = `/v1/sandboxes/${id}/files?path=/x`;
  const neither = 'the body is neither application/json nor application/octet-stream';
  expect(await send('PUT', file, 'text', 'text/plain')).toEqual([415, neither]);
  expect(await send('PUT', file, '{}', json)).toEqual([400, 'there are no octets of a file']);
  expect(await send('PUT', file)).toEqual([400, 'there are no octets of a file']);
  expect(await send('POST', '/v1/templates', '{}', 'text/plain')).toEqual([415, neither]);
  await close();
});

test('too many forks: 429 for those that do not fit, and none is leaked', async () => {
  using ground = new EngineGround();
  const { client, close, vmm } = await serve(ground, { vms: { vms: 4, spareMiB: 0 } });
  const { id } = await client.buildTemplate();
  const asked = await Promise.allSettled(Array.from({ length: 12 }, () => client.fork({ template: id })));
  const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  expect(refused.length).toBe(8);
  for (const one of refused) expect(one).toEqual(refusal(429, 'too-many-vms'));
  expect(vmm.live).toBe(4);
  await close();
  expect(vmm.live).toBe(0);
});

test('a client that hangs up ends what it runs', async () => {
  using ground = new EngineGround();
  const { client, close, guest } = await serve(ground);
  const { id } = await client.buildTemplate();
  const sandbox = await client.fork({ template: id });
  const leaving = new AbortController();
  const running = (async () => {
    for await (const _event of client.exec(sandbox.id, { argv: ['hang'] }, leaving.signal)) void _event;
  })();
  await expect.poll(() => guest.asked.includes('exec')).toBe(true);
  leaving.abort();
  await expect(running).rejects.toThrow();
  await expect.poll(() => guest.asked.includes('cancel')).toBe(true);
  await close();
});

test('a client that never sends its body, or half of it, holds up nobody', async () => {
  using ground = new EngineGround();
  const { url, token, client, close } = await serve(ground);
  const half = request(`${url}/v1/templates`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': '100',
    },
  });
  half.on('error', () => undefined);
  half.write('{"image":');
  expect((await client.buildTemplate()).id).toMatch(/^[0-9a-f]{64}$/);
  await close();
});

test('sandboxes end when their time is over or nobody uses them, and not while they are used', async () => {
  let now = 0;
  const ended: string[] = [];
  const lives = new Lifetimes(
    async (id) => {
      ended.push(id);
    },
    log,
    { everyMs: 1 << 30, now: () => now },
  );
  lives.begin('short', { ttlMs: 100, idleMs: 1_000 });
  lives.begin('idle', { ttlMs: 10_000, idleMs: 50 });
  lives.begin('used', { ttlMs: 10_000, idleMs: 50 });
  const endUse = lives.use('used');
  for (now = 0; now < 200; now += 10) lives.sweep();
  expect(ended).toEqual(['idle', 'short']);
  endUse();
  now += 40;
  lives.sweep();
  expect(ended.length).toBe(2);
  now += 20;
  lives.sweep();
  expect(ended).toEqual(['idle', 'short', 'used']);
  lives.close();
});

test('a sandbox whose time is over is gone', async () => {
  using ground = new EngineGround();
  const { client, close, vmm } = await serve(ground);
  const { id } = await client.buildTemplate();
  await client.fork({ template: id, ttlSeconds: 1 });
  expect(vmm.live).toBe(1);
  await expect.poll(() => vmm.live, { timeout: 10_000 }).toBe(0);
  expect(await client.sandboxes()).toEqual([]);
  await close();
});

test('the description names every route and asks for the token', async () => {
  using ground = new EngineGround();
  const { url, token, close } = await serve(ground);
  const response = await fetch(`${url}/openapi.json`, { headers: { authorization: `Bearer ${token}` } });
  const { openapi, paths, security } = (await response.json()) as {
    openapi: string;
    paths: object;
    security: object[];
  };
  for (const field of ['maxProcesses', 'maxMemoryOctets', 'volumes', 'serial', 'image']) {
    expect(JSON.stringify(paths)).toContain(`"${field}":`);
  }
  expect(openapi).toBe('3.1.0');
  expect(security).toEqual([{ token: [] }]);
  expect(Object.keys(paths).toSorted()).toEqual([
    '/v1/sandboxes',
    '/v1/sandboxes/{id}',
    '/v1/sandboxes/{id}/exec',
    '/v1/sandboxes/{id}/files',
    '/v1/sandboxes/{id}/files/list',
    '/v1/sandboxes/{id}/files/stat',
    '/v1/sandboxes/{id}/forks',
    '/v1/templates',
    '/v1/templates/{id}',
    '/v1/templates/{id}/ready',
    '/v1/volumes',
  ]);
  await close();
});

test('as many requests as may be: one more is refused until one ends', async () => {
  using ground = new EngineGround();
  const { url, token, client, close } = await serve(ground);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': '100',
  };
  const halves = Array.from({ length: 128 }, () => {
    const half = request(`${url}/v1/templates`, { method: 'POST', headers });
    half.on('error', () => undefined);
    half.write('{');
    return half;
  });
  const refused = refusal(429, 'too-many-requests');
  await expect
    .poll(() => client.sandboxes().catch((error: unknown) => error), { timeout: 10_000 })
    .toEqual(refused);
  for (const half of halves) half.destroy();
  await expect.poll(() => client.sandboxes().catch(() => null), { timeout: 10_000 }).toEqual([]);
  await close();
});

test('an answer that ends before its end is told as cut off', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200).end('{"stream":"stdout","data":"eA=="}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new SandboxClient(`http://127.0.0.1:${port}`, 'token');
  await expect(client.run('sb-1', { argv: ['echo'] })).rejects.toMatchObject({ code: 'answer-cut-off' });
  server.close();
});

test('a coded error has a status of its own, and any other is told by its class alone', () => {
  const statuses = ['bad-request', 'unauthorized', 'no-such-image'].map(
    (one) => answerOf(new CodedError(one, 'what', 'how')).status,
  );
  expect(statuses).toEqual([400, 401, 404]);
  expect(answerOf(new Error('with a secret in it')).body.message).not.toContain('secret');
});

test('it listens on loopback only', async () => {
  using ground = new EngineGround();
  const { forkd } = await ground.start();
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'localhost.example.com']) {
    const options = { engine: forkd, images: {}, rootfsFolder: null, token: 'x', host, port: 0, log };
    await expect(startSandboxServer(options)).rejects.toMatchObject({ code: 'bad-flag' });
  }
  await forkd.close();
});
