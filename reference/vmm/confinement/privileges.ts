/**
 * What of this process's privileges a VMM is started without, in the words of setpriv(1).
 * Invariant: whatever may be given up is; while VMMs run, no two of this process have the same uid of their own.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const setpriv = '/usr/bin/setpriv';
/** Uids that nobody is given for long: systemd's range for services that come and go. */
const uids = { first: 61_184, count: 4_336 } as const;

const CAP_SETGID = 6n;
const CAP_SETUID = 7n;
const CAP_SETPCAP = 8n;

export class Privileges {
  readonly #has: (capability: bigint) => boolean;
  readonly #taken = new Set<number>();
  /** Another process begins elsewhere. */
  #next = randomInt(uids.count);

  readonly #isMapped: boolean;

  /**
   * @param effective CapEff of /proc/self/status
   * @param maps of /proc/self: uid_map and gid_map
   */
  constructor(effective: bigint, maps: readonly string[]) {
    this.#has = (capability) => (effective & (1n << capability)) !== 0n;
    this.#isMapped = maps.every(hasUids);
  }

  /** null: this process may give none, or has given them all. */
  takeUid(): number | null {
    const mayGive = this.#isMapped && this.#has(CAP_SETUID) && this.#has(CAP_SETGID);
    if (!mayGive || this.#taken.size >= uids.count) return null;
    while (this.#taken.has(this.#next)) this.#next = (this.#next + 1) % uids.count;
    const taken = this.#next;
    this.#next = (taken + 1) % uids.count;
    this.#taken.add(taken);
    return uids.first + taken;
  }

  giveBackUid(uid: number | null): void {
    if (uid !== null) this.#taken.delete(uid - uids.first);
  }

  /** What stands before the program and its arguments. @param groups that a uid of its own is in besides */
  drop(uid: number | null, groups: readonly number[] = []): string[] {
    const inGroups = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
    return [
      setpriv,
      ...(uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, inGroups]),
      // Without this capability a root of few capabilities keeps those: its filter of calls stands all the same.
      ...(this.#has(CAP_SETPCAP) ? ['--bounding-set=-all', '--securebits=+noroot,+noroot_locked'] : []),
      '--inh-caps=-all',
      '--ambient-caps=-all',
      '--no-new-privs',
      '--pdeathsig=KILL',
      '--',
    ];
  }
}

/** Whether the user namespace has all of them. */
function hasUids(map: string): boolean {
  return map.split('\n').some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return first <= uids.first && first + count >= uids.first + uids.count;
  });
}

/** How a device can be opened by a process that owns it not. */
export interface DeviceAccess {
  /** false: only this process's own uid may. */
  readonly byOthers: boolean;
  /** Groups that have to be given for that. */
  readonly groups: readonly number[];
}

/** @param stat of the device */
export function deviceAccess({ mode, gid }: { readonly mode: number; readonly gid: number }): DeviceAccess {
  if ((mode & 0o006) === 0o006) return { byOthers: true, groups: [] };
  // Root's group is worth more than the uid.
  if ((mode & 0o060) === 0o060 && gid !== 0) return { byOthers: true, groups: [gid] };
  return { byOthers: false, groups: [] };
}

let own: Privileges | null = null;

/** Of this process. */
export function privileges(): Privileges {
  if (own === null) {
    const read = (name: string) => readFileSync(`/proc/self/${name}`, 'utf8');
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('status'))?.[1] ?? '0';
    own = new Privileges(BigInt(`0x${effective}`), [read('uid_map'), read('gid_map')]);
  }
  return own;
}
