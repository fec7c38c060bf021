/**
 * Octets straight from the kernel's generator (getrandom(2)), past every generator of this process.
 * Invariant: all of them or an error.
 */
import koffi from 'koffi';
import { SyscallError } from './syscalls.ts';

const getrandom = koffi
  .load('libc.so.6')
  .func('int64_t getrandom(void *data, size_t octets, unsigned int flags)');

/** @param octets at most 256: so many the kernel gives without being interrupted */
export function kernelRandom(octets: number): Buffer {
  if (!(octets > 0 && octets <= 256)) throw new RangeError('1 to 256 octets');
  const data = Buffer.alloc(octets);
  if (Number(getrandom(data, octets, 0)) !== octets) throw new SyscallError('getrandom', koffi.errno());
  return data;
}
