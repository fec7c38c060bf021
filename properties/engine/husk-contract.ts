/** What holds for a husk on any VMM, datapath and resolver: the same sentences on a fake VMM and on a real one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import type { Husk, HuskOrder } from '#reference/husk/husk.ts';

export interface HuskGround {
  readonly snapshot: LoadedSnapshot;
  /** One after the other on the same tap. `hasty`: its gate waits so short that every fork is refused. */
  husk(kind?: 'hasty'): Husk;
  /** Prints its environment. */
  readonly printEnvironment: readonly string[];
  /** What is left of husks, in words: VMs, taps, rules, resolvers. */
  left(): Promise<readonly string[]>;
  /** Ends the machine from within. */
  readonly endMachine: readonly string[];
  close(): Promise<void>;
}

const policy = {
  egress: 'deny',
  allow: ['tcp://93.184.215.14/32:443', '*.ok.test:443'],
  inbound: [],
} as const;
const secret = 'not for everybody';
const order: HuskOrder = { policy, secrets: [{ name: 'token', value: secret, envVar: 'TOKEN' }] };
const execTimeoutMs = 60_000;

async function environmentOf(husk: Husk, argv: readonly string[]): Promise<string> {
  let said = '';
  const request = { argv, timeout_ms: execTimeoutMs, max_output_octets: 10_000 };
  const { ended } = husk.exec(request, (_, octets) => {
    said += octets.toString('utf8');
  });
  expect(await ended).toMatchObject({ ok: true, exit_code: 0 });
  return said;
}

export function huskContract(open: () => Promise<HuskGround>): void {
  describe('a husk', () => {
    let ground: HuskGround;
    beforeAll(async () => {
      ground = await open();
    });
    afterAll(async () => {
      await ground?.close();
    });

    const dormant = async (kind?: 'hasty') => {
      const husk = ground.husk(kind);
      await husk.prepare(ground.snapshot);
      return husk;
    };

    test('delivers nothing while it is dormant, and leaves nothing when it is ended so', async () => {
      const husk = await dormant();
      expect(husk.phase).toBe('dormant');
      const request = { argv: ground.printEnvironment, timeout_ms: 1_000, max_output_octets: 10 };
      expect(() => husk.exec(request, () => undefined)).toThrow(
        expect.objectContaining({ code: 'not-released' }),
      );
      expect(() => husk.files()).toThrow(expect.objectContaining({ code: 'not-released' }));
      await expect(husk.prepare(ground.snapshot)).rejects.toMatchObject({ code: 'husk-not-dormant' });
      await husk.end();
      await husk.end();
      expect(await ground.left()).toEqual([]);
      await expect(husk.activate(order)).rejects.toMatchObject({ code: 'husk-not-dormant' });
    });

    test('is activated exactly once, and only then runs programs, which have the secret', async () => {
      const husk = await dormant();
      const [one, other] = await Promise.allSettled([husk.activate(order), husk.activate(order)]);
      expect(one.status).toBe('fulfilled');
      expect(other).toMatchObject({ status: 'rejected', reason: { code: 'husk-not-dormant' } });
      await expect(husk.activate(order)).rejects.toMatchObject({ code: 'husk-not-dormant' });
      expect(husk.phase).toBe('active');
      expect(await environmentOf(husk, ground.printEnvironment)).toContain(secret);
      await husk.end();
      expect(await ground.left()).toEqual([]);
      expect(() => husk.files()).toThrow(expect.objectContaining({ code: 'not-released' }));
    });

    test('that the gate refuses has left nothing when the call ends, and is never dormant again', async () => {
      const husk = await dormant('hasty');
      await expect(husk.activate(order)).rejects.toMatchObject({ code: 'fork-refused' });
      expect(husk.phase).toBe('ended');
      expect(await ground.left()).toEqual([]);
      await husk.ended;
      await expect(husk.activate(order)).rejects.toMatchObject({ code: 'husk-not-dormant' });
    });

    test('whose VM ends by itself has left nothing, and says so', async () => {
      const husk = await dormant();
      await husk.activate({ policy, secrets: [] });
      const request = { argv: ground.endMachine, timeout_ms: execTimeoutMs, max_output_octets: 0 };
      await husk.exec(request, () => undefined).ended.catch(() => undefined);
      await husk.ended;
      expect(husk.phase).toBe('ended');
      expect(await ground.left()).toEqual([]);
    });

    test('refuses a secret that cannot be one, and stays dormant', async () => {
      const husk = await dormant();
      const bad = { policy, secrets: [{ name: 'token', value: secret }] };
      await expect(husk.activate(bad)).rejects.toMatchObject({ code: 'bad-secret' });
      expect(husk.phase).toBe('dormant');
      await husk.end();
      expect(await ground.left()).toEqual([]);
    });
  });
}
