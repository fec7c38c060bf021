/** A live fork whose source waits: it goes on when its children are there, and whatever became of them. */
import { expect, test } from 'vitest';
import { EngineGround, noSecrets, run } from './engine-ground.ts';

const order = { replicas: 2, allowSecretInheritance: false };

async function forked(ground: EngineGround) {
  const engine = await ground.start({ activation: { deadlineMs: 20_000 } });
  const { id } = await engine.forkd.buildTemplate(ground.spec());
  const source = await engine.forkd.fork({ template: id, ...noSecrets });
  const isAlive = async (one: string) => (await run(engine, one, ['echo', 'alive'])).text === 'alive';
  return { engine, source, isAlive };
}

test('a source that is paused is not to be spoken to until its children are, and goes on beside them', async () => {
  using ground = new EngineGround();
  const { engine, source, isAlive } = await forked(ground);
  const forking = engine.forkd.forkSandbox(source.id, { ...order, pauseSource: true });
  expect(() =>
    engine.forkd.exec(source.id, { argv: ['echo'], timeout_ms: 1, max_output_octets: 1 }, () => undefined),
  ).toThrow(expect.objectContaining({ code: 'sandbox-busy' }));
  const children = await forking;
  expect(children).toHaveLength(2);
  for (const { id } of [source, ...children]) expect(await isAlive(id)).toBe(true);
  await engine.forkd.close();
  expect(engine.vmm.live).toBe(0);
  expect(ground.left().journal).toEqual([]);
});

test.each([
  ['paused goes on when the first that is forked is refused: that was a child', true],
  ['not paused is itself the first that is forked, and ends when it is refused', false],
])('a source that is %s', async (_what, pauseSource) => {
  using ground = new EngineGround();
  const { engine, source, isAlive } = await forked(ground);
  engine.guest.lies.push('boolean');
  await expect(engine.forkd.forkSandbox(source.id, { ...order, pauseSource })).rejects.toMatchObject({
    code: 'fork-refused',
  });
  // All of its children or none.
  expect(engine.forkd.sandboxes().map(({ id }) => id)).toEqual(pauseSource ? [source.id] : []);
  if (pauseSource) expect(await isAlive(source.id)).toBe(true);
  await engine.forkd.close();
  expect(engine.vmm.live).toBe(0);
});

// Less than the ten seconds that no flag could change.
const withinTimeout = { timeout: 9_000 };

test(
  'a source that does not freeze is waited for as long as a template would be, and then it is ended',
  withinTimeout,
  async () => {
    using ground = new EngineGround();
    const deadlines = { bootMs: 5_000, answerMs: 500 };
    const engine = await ground.start({ deadlines });
    const { id } = await engine.forkd.buildTemplate(ground.spec());
    const source = await engine.forkd.fork({ template: id, ...noSecrets });
    engine.guest.freezesLate = true;
    await expect(engine.forkd.forkSandbox(source.id, order)).rejects.toMatchObject({ code: 'guest-silent' });
    expect(engine.forkd.sandboxes()).toEqual([]);
    expect(engine.vmm.live).toBe(0);
    await engine.forkd.close();
  },
);
