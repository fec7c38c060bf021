/**
 * Reproductions on a real kernel, by finding: who has attacks for a finding adds a line here, and `repro` shows them.
 * Invariant: the same frames go to each subject; what each rule said of them is the kernel's own trace.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { labMissing } from '#kvm-lab/providers/netns/readiness.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import type { ClaimId, ClaimStatement, Finding } from '#properties/claims/claim.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { attackNamed } from '../attacks/catalogue.ts';
import { dnsShowpieces } from '../attacks/dns-catalogue.ts';
import { showpieces } from '../attacks/showpieces.ts';
import { evidenceMissing } from '../fixtures/evidence.ts';
import { type AttackStory, storyFile } from '../fixtures/story.ts';
import { planAttacks } from '../kernel-tier/plan-attacks.ts';
import { runAttacks } from '../kernel-tier/run-attacks.ts';
import { type DnsReproduction, reproduceDns } from './dns-reproduction.ts';

export interface KernelTelling {
  readonly record: CellRecord;
  /** null: it did not get so far; the record says why. */
  readonly story: AttackStory | null;
}

export interface PacketReproduction {
  readonly kind: 'packets';
  readonly claim: ClaimStatement;
  readonly attack: { readonly id: string; readonly statement: string; readonly source: string };
  /** One for each subject that has such an input. */
  readonly tellings: readonly KernelTelling[];
  readonly seed: number;
}

export type KernelReproduction = PacketReproduction | DnsReproduction;

export interface KernelReproducer {
  /** Claims that it has an attack for. */
  readonly claims: readonly ClaimId[];
  /** Why it cannot run here; null: it can. */
  missing(): Unsupported | null;
  reproduce(claim: ClaimStatement, seed: number, signal: AbortSignal): Promise<KernelReproduction>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

function storyIn(folder: string | undefined): AttackStory | null {
  const file = `${root}${folder}/${storyFile}`;
  if (folder === undefined || !existsSync(file)) return null;
  return JSON.parse(readFileSync(file, 'utf8')) as AttackStory;
}

/** F4: one attack of the husk network for each claim. */
const huskNetwork: KernelReproducer = {
  claims: Object.keys(showpieces) as ClaimId[],
  missing: () => labMissing() ?? evidenceMissing(),
  async reproduce(claim, seed, signal) {
    const jobs = planAttacks([claim], builtInSubjects, seed).map((job) => ({ ...job, trace: true }) as const);
    const [first] = jobs;
    if (first === undefined) throw new Error(`${claim.id} has no attack at tier kernel`);
    const records = await runAttacks(jobs, signal, () => undefined);
    const tellings = records.map((record) => ({ record, story: storyIn(record.evidence?.folder) }));
    const { id, statement, source } = attackNamed(first.attack);
    return { kind: 'packets', claim, attack: { id, statement, source }, tellings, seed };
  },
};

/** F1: one attack on the DNS proxy for each claim. */
const dnsProxy: KernelReproducer = {
  claims: [...dnsShowpieces.keys()] as ClaimId[],
  missing: () => labMissing() ?? evidenceMissing(),
  reproduce: reproduceDns,
};

export const kernelReproducers: Partial<Record<Finding, KernelReproducer>> = {
  F1: dnsProxy,
  F4: huskNetwork,
};
