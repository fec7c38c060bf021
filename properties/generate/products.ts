/**
 * Everything in the repository that is generated, never typed: its path and its text. `pnpm generate`
 * writes it; a test fails when a file differs.
 */
import { readdir } from 'node:fs/promises';
import { listClaimIds, loadMutants, loadStatements } from '../matrix/catalogue.ts';
import { loadProofs } from '../proofs/run/proof-catalogue.ts';
import { claimsPage } from './claims-page.ts';
import { decisionsPage } from './decisions-page.ts';
import { dnsPeersPage } from './dns-peers-page.ts';
import { errorsPage } from './errors-page.ts';
import { naivePage } from './naive-page.ts';
import { nftOraclePage } from './nft-oracle-page.ts';
import { observedPage } from './observed-page.ts';
import type { Product } from './product.ts';
import { proofsPage } from './proofs-page.ts';
import { schemaFiles } from './schemas.ts';

const corpusFolder = new URL('../vectors/generate/', import.meta.url);

export async function products(): Promise<Product[]> {
  const claims = await loadStatements(await listClaimIds());
  return [
    { path: 'docs/claims.md', text: claimsPage(claims, await loadMutants()) },
    { path: 'docs/decisions.md', text: await decisionsPage() },
    { path: 'docs/dns-peers.md', text: dnsPeersPage() },
    { path: 'docs/errors.md', text: errorsPage() },
    { path: 'docs/naive-filters.md', text: naivePage() },
    { path: 'docs/nft-oracle.md', text: nftOraclePage() },
    { path: 'docs/observed-behaviour.md', text: await observedPage() },
    { path: 'docs/proofs.md', text: proofsPage(await loadProofs()) },
    ...schemaFiles(),
    ...(await corpora()),
  ];
}

/** Each file `vectors/generate/<corpus>.ts` makes `vectors/<corpus>.json`. */
async function corpora(): Promise<Product[]> {
  const files = (await readdir(corpusFolder)).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  const made: Product[] = [];
  for (const file of files.sort()) {
    const module = (await import(new URL(file, corpusFolder).href)) as { generate?: () => unknown };
    if (module.generate === undefined) continue;
    const path = `properties/vectors/${file.replace(/\.ts$/, '.json')}`;
    made.push({ path, text: corpusText(module.generate()) });
  }
  return made;
}

/** JSON with one vector a line, so that a diff shows which vectors changed. */
export function corpusText(corpus: unknown): string {
  const { vectors, ...head } = corpus as { vectors: readonly unknown[] };
  const lines = vectors.map((vector) => `    ${JSON.stringify(vector)}`).join(',\n');
  const opening = JSON.stringify(head, null, 2).replace(/\n\}$/, '');
  return `${opening},\n  "vectors": [\n${lines}\n  ]\n}\n`;
}
