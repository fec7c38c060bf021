/** What the gate knows of a snapshot, by its manifest. */
import type { LoadedSnapshot } from '#reference/contract/vmm-port.ts';
import { whyNoWitness } from '../vmm/witness.ts';
import type { ForkSource } from './activation.ts';

/** @param generation that the agent in it has seen; 0: none */
export function forkSourceOf(
  { digest, manifest }: Pick<LoadedSnapshot, 'digest' | 'manifest'>,
  generation: number,
): ForkSource {
  const { generatorAtSnapshot, generatorAddress } = manifest;
  return {
    ...{ digest, generatorAtSnapshot, generation },
    readsGenerator: generatorAddress !== null,
    noWitness: whyNoWitness(manifest),
  };
}
