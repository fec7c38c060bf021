/**
 * Memory files (memfd_create(2)) and their seals.
 * Invariant: a sealed one never changes again, for nobody: neither by write nor by a mapping that is there already.
 */
import { fcntl, memfdCreate } from './syscalls.ts';

const MFD_CLOEXEC_ALLOW_SEALING = 3;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** SEAL, SHRINK, GROW, WRITE. */
const everySeal = 15;

/** An empty one, closed on exec. @param name seen in /proc, and nothing else */
export const createMemfd = (name: string): number => memfdCreate(name, MFD_CLOEXEC_ALLOW_SEALING);

/** @throws SyscallError EBUSY while anybody has it mapped for shared writing */
export function seal(fd: number): void {
  fcntl(fd, F_ADD_SEALS, everySeal);
}

export const isSealed = (fd: number): boolean => (fcntl(fd, F_GET_SEALS, 0) & everySeal) === everySeal;
