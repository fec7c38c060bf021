/** How much of the disk templates may take: one too many is refused, leaves nothing, and fits when room is made. */
import { expect, test } from 'vitest';
import { octetsOnDisk } from '#reference/forkd/state-quota.ts';
import { answerOf } from '#reference/sandbox-server/error-answer.ts';
import { EngineGround } from './engine-ground.ts';

test('a template that does not fit is refused as one too many, and nothing of it is left, over a restart too', async () => {
  using ground = new EngineGround();
  const first = await ground.start();
  const { id } = await first.forkd.buildTemplate(ground.spec());
  await first.forkd.close();
  const one = await octetsOnDisk(`${ground.state}/templates/${id}`);
  expect(one).toBeGreaterThan(0);
  // Room for one of them, and less than another one beside it.
  const engine = await ground.start({ maxStateOctets: one + 100_000 });
  const other = ground.spec({ commandLine: 'other' });
  const refusal: unknown = await engine.forkd.buildTemplate(other).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'state-full' });
  expect(answerOf(refusal)?.status).toBe(429);
  expect(ground.left()).toEqual({ templates: [id], witnesses: [], journal: [] });
  expect(engine.forkd.templates().map((template) => template.id)).toEqual([id]);
  expect(engine.vmm.live).toBe(0);
  await engine.forkd.removeTemplate(id);
  const built = await engine.forkd.buildTemplate(other);
  expect(ground.left().templates).toEqual([built.id]);
  await engine.forkd.close();
});

test('of templates that are built at once, only so many as fit are kept', async () => {
  using ground = new EngineGround();
  const probe = await ground.start();
  const { id } = await probe.forkd.buildTemplate(ground.spec());
  const one = await octetsOnDisk(`${ground.state}/templates/${id}`);
  await probe.forkd.removeTemplate(id);
  await probe.forkd.close();
  const spare = 128 << 10;
  const engine = await ground.start({ maxStateOctets: 2 * one + spare });
  const specs = ['a', 'b', 'c', 'd'].map((commandLine) => ground.spec({ commandLine }));
  const ends = await Promise.allSettled(specs.map((spec) => engine.forkd.buildTemplate(spec)));
  const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  expect(refused.length).toBeGreaterThan(0);
  for (const reason of refused) expect(reason).toMatchObject({ code: 'state-full' });
  expect(ground.left().templates).toHaveLength(ends.length - refused.length);
  expect(await octetsOnDisk(`${ground.state}/templates`)).toBeLessThanOrEqual(2 * one + spare);
  expect(ground.left().journal).toEqual([]);
  await engine.forkd.close();
});
