/** The proofs, found by where their files stand: `properties/proofs/<name>.ts`. */
import { readdir } from 'node:fs/promises';
import { unknownName } from '../../matrix/catalogue.ts';
import type { Proof } from '../proof.ts';

const folder = new URL('../', import.meta.url);

/** In alphabetical order. */
export async function listProofNames(): Promise<string[]> {
  const files = await readdir(folder, { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && file.name.endsWith('.ts') && !file.name.endsWith('.test.ts'))
    .map(({ name }) => name.slice(0, -'.ts'.length))
    .filter((name) => name !== 'proof')
    .sort();
}

export async function loadProof(name: string): Promise<Proof> {
  const module = (await import(new URL(`${name}.ts`, folder).href)) as { proof: Proof };
  if (module.proof?.name !== name) {
    throw new Error(`properties/proofs/${name}.ts exports the proof ${module.proof?.name}: name them alike`);
  }
  return module.proof;
}

export async function loadProofs(): Promise<Proof[]> {
  return Promise.all((await listProofNames()).map(loadProof));
}

/**
 * Proofs by name; without a name all but those on demand.
 * @throws CodedError `unknown-proof` with the valid names
 */
export async function selectProofs(wanted: readonly string[], demanded: readonly string[]): Promise<Proof[]> {
  const all = await loadProofs();
  const names = all.map(({ name }) => name);
  for (const name of wanted) if (!names.includes(name)) throw unknownName('proof', name, names);
  return all.filter(
    ({ name, onDemand }) =>
      wanted.includes(name) ||
      (onDemand === undefined ? wanted.length === 0 && demanded.length === 0 : demanded.includes(onDemand)),
  );
}
