/** Octets that count how often they are looked at: work, measured without a clock. */

export interface CountedOctets {
  readonly octets: Uint8Array;
  looks(): number;
}

/**
 * What reading, judging and planning one message may cost: so many looks for each octet, and a start. The worst that
 * the generators find is printed beside it.
 */
export const looksPerOctet = 8;
export const looksAtAll = 4_096;

export function looksAllowed(octets: number): number {
  return looksAtAll + looksPerOctet * octets;
}

/** @throws RangeError once the bound is passed several times over, so that a careless codec ends at all */
export function countLooks(octets: Uint8Array): CountedOctets {
  const most = 64 * looksAllowed(octets.length);
  let looks = 0;
  const counting = new Proxy(octets, {
    get(target, key) {
      looks += 1;
      if (looks > most) throw new RangeError(`over ${most} looks at ${target.length} octets`);
      return Reflect.get(target, key, target);
    },
  });
  return { octets: counting, looks: () => looks };
}
