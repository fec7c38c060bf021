/** Every proof holds in its small scope, and each of its mutants is refuted there, with a trace. */
import { describe, expect, test } from 'vitest';
import { patchedSource } from '../../matrix/patch-source.ts';
import type { Proof } from '../proof.ts';
import { loadProofs, selectProofs } from './proof-catalogue.ts';
import { type ProofReport, runProofs } from './run-proofs.ts';

const proofs = await loadProofs();
const quiet = { progress: () => undefined, report: () => undefined };

function run(chosen: readonly Proof[], mutants: boolean, signal = new AbortController().signal) {
  return runProofs(chosen, { mutants, scale: 'small', signal, ...quiet });
}

describe('proofs', () => {
  test('always say what they take for granted, and never go without a mutant', () => {
    expect(proofs.length).toBeGreaterThan(0);
    for (const { name, bounds, assumptions, mutants } of proofs) {
      expect(bounds.length, name).toBeGreaterThan(0);
      expect(assumptions.length, name).toBeGreaterThan(0);
      expect(mutants.length, name).toBeGreaterThan(0);
      expect(new Set(mutants.map(({ id }) => id)).size, name).toBe(mutants.length);
      for (const mutant of mutants) expect(patchedSource(mutant), mutant.id).toContain(mutant.replace);
    }
  });

  test('only run on demand where they say so', async () => {
    const byDefault = (await selectProofs([], [])).map(({ name }) => name);
    expect(byDefault).not.toContain('brute-force-ipv4');
    expect(byDefault).toContain('pin-address');
    const demanded = await selectProofs([], ['--brute-force-ipv4']);
    expect(demanded.map(({ name }) => name)).toEqual(['brute-force-ipv4']);
    await expect(selectProofs(['pin-adress'], [])).rejects.toMatchObject({ code: 'unknown-proof' });
  });
});

describe.each(proofs)('the proof $name', (proof) => {
  test('holds, and is refuted by every mutant of its own, with a trace', async () => {
    const reports = await run([proof], true);
    const wrong = reports.filter(
      ({ mutant, result }) => result.outcome !== (mutant === null ? 'proved' : 'refuted'),
    );
    const show = ({ mutant, result }: ProofReport) => [mutant?.id ?? 'itself', result];
    expect(wrong.map(show)).toEqual([]);
    expect(reports).toHaveLength(1 + proof.mutants.length);
    for (const { result } of reports) {
      expect(Object.values(result.counts).every((count) => count >= 0)).toBe(true);
      if (result.outcome === 'refuted') expect(result.trace.length).toBeGreaterThan(2);
    }
  });
});

describe('a run', () => {
  const [any] = proofs as [Proof];

  test('never counts a mutant whose thread crashes as refuted', async () => {
    const broken = {
      id: 'broken',
      mistake: 'no JavaScript',
      file: 'reference/decisions/pin-address/prefix-trie.ts',
      find: 'const fanOut = 256;',
      replace: 'const fanOut = ;',
    };
    const pinAddress = proofs.find(({ name }) => name === 'pin-address') as Proof;
    const reports = await run([{ ...pinAddress, mutants: [broken] }], true);
    expect(reports.map(({ result }) => result.outcome)).toEqual(['proved', 'crashed']);
  });

  test('that is interrupted is not run, never proved', async () => {
    const interrupt = new AbortController();
    const running = run([any], false, interrupt.signal);
    interrupt.abort();
    expect((await running).map(({ result }) => result.outcome)).toEqual(['not-run']);
  });
});
