/** `pnpm generate`: writes every generated file, or with --check says which are stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Product } from '#properties/generate/product.ts';
import { products } from '#properties/generate/products.ts';
import { dnsCorpusPage } from '../report/dns-corpus-page.ts';
import { resolversPage } from '../report/resolvers-page.ts';
import { rulesetsPage } from '../report/rulesets-page.ts';
import { exitCodes } from './exit-codes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Products whose file is absent or differs. */
export async function staleProducts(): Promise<Product[]> {
  const all = [...(await products()), await rulesetsPage(), dnsCorpusPage(), resolversPage()];
  return all.filter(({ path, text }) => readIfThere(`${root}${path}`) !== text);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export async function generateCommand(flags: { check?: true }): Promise<number> {
  const stale = await staleProducts();
  for (const { path, text } of stale) {
    if (flags.check !== true) {
      mkdirSync(dirname(`${root}${path}`), { recursive: true });
      writeFileSync(`${root}${path}`, text);
    }
    process.stdout.write(`${flags.check === true ? 'stale' : 'wrote'} ${path}\n`);
  }
  if (stale.length === 0) process.stdout.write('Every generated file is fresh.\n');
  if (flags.check === true && stale.length > 0) {
    process.stdout.write('Run: pnpm generate\n');
    return exitCodes.differs;
  }
  return exitCodes.asDeclared;
}
