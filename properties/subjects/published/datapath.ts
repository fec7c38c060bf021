/**
 * The published datapath, and with `inputChain: false` the vulnerable one: `ip` and `nft` commands, one after
 * the other. What findings.md F4 says was observed is cited at the line that does it.
 */
import { execFileSync } from 'node:child_process';
import type {
  DrivenDatapath,
  PinOrder,
  PodPlace,
  PolicyOrder,
  SandboxPlace,
  Step,
} from '../datapath-protocol.ts';
import { vethCommands } from '../guest-veth.ts';

const commandTimeoutMs = 10_000;
const table = 'inet mitos';

interface Options {
  /** "Published: an input-hook chain per tap". "Vulnerable: filtering on the forward hook only". */
  readonly inputChain: boolean;
  /** See datapath-protocol.ts. */
  readonly guestSide: string | null;
}

export class CommandDatapath implements DrivenDatapath {
  readonly #pod: PodPlace;
  readonly #step: Step;
  readonly #options: Options;
  readonly #standing = new Map<string, SandboxPlace>();

  constructor(pod: PodPlace, step: Step, options: Options) {
    this.#pod = pod;
    this.#step = step;
    this.#options = options;
  }

  /** "rules are installed in several steps after the tap is up". */
  open(network: SandboxPlace, policy: PolicyOrder): { fd: null } {
    const { tap, tapMac, ipv4 } = network;
    this.#make(tap);
    this.#ip(`link set dev ${tap} address ${tapMac}`);
    this.#ip(`addr add ${ipv4.gateway}/30 dev ${tap}`);
    if (ipv4.resolver !== ipv4.gateway) this.#ip(`addr add ${ipv4.resolver}/32 dev ${tap}`);
    this.#ip(`link set dev ${tap} up`);
    this.#standing.set(tap, network);
    this.#apply(network, policy);
    return { fd: null };
  }

  #make(tap: string): void {
    const { guestSide } = this.#options;
    if (guestSide === null) this.#ip(`tuntap add dev ${tap} mode tap`);
    else for (const [program, words] of vethCommands(tap, guestSide)) this.#run(program, words);
  }

  /** "re-applying a narrower policy leaves the wider accepts in front": what stands stays, the new comes after. */
  change(tap: string, policy: PolicyOrder): void {
    this.#apply(this.#known(tap), policy);
  }

  pin(pins: readonly PinOrder[]): void {
    for (const { tap, address, protocol, port, timeoutMs } of pins) {
      const set = `${tap}-allow-${address.includes(':') ? 'v6' : 'v4'}`;
      const seconds = Math.ceil(timeoutMs / 1_000);
      this.#nft(`add element ${table} ${set} { ${address} . ${protocol} . ${port} timeout ${seconds}s }`);
    }
  }

  /**
   * "deletion leaves sets behind"; findings.md F1 says which: "never deletes the v6 set at teardown, so the
   * next sandbox on that tap inherits pins".
   */
  close(tap: string): void {
    this.#known(tap);
    this.#ip(`link del dev ${tap}`);
    for (const chain of [
      `${tap}-forward`,
      ...(this.#options.inputChain ? [`${tap}-input`] : []),
      `${tap}-nat`,
    ]) {
      this.#nft(`flush chain ${table} ${chain}\ndelete chain ${table} ${chain}`);
    }
    this.#nft(`delete set ${table} ${tap}-allow-v4`);
    this.#standing.delete(tap);
  }

  /** The namespace goes, and everything in it. */
  shutDown(): void {
    this.#standing.clear();
  }

  #apply({ tap, ipv4 }: SandboxPlace, policy: PolicyOrder): void {
    const { guest, resolver } = ipv4;
    const inet = { v4: 'ipv4_addr', v6: 'ipv6_addr' };
    this.#nft(`add table ${table}`);
    for (const [family, type] of Object.entries(inet)) {
      const key = `${type} . inet_proto . inet_service`;
      this.#nft(`add set ${table} ${tap}-allow-${family} { type ${key}; flags timeout; }`);
    }
    const forward = `${table} ${tap}-forward`;
    this.#nft(`add chain ${forward} { type filter hook forward priority 0; policy accept; }`);
    // "any IPv4 source other than the guest address misses every rule", "also to metadata".
    const rules = [
      `ip saddr ${guest} ip daddr 169.254.169.254 drop`,
      `ip saddr ${guest} ip daddr . meta l4proto . th dport @${tap}-allow-v4 accept`,
      ...policy.allow.flatMap((entry) => cidrRule(guest, entry)),
      `ip saddr ${guest} ${policy.egress === 'allow' ? 'accept' : 'drop'}`,
    ];
    for (const rule of rules) this.#nft(`add rule ${forward} ${rule}`);
    if (this.#options.inputChain) this.#input(tap, guest, resolver);
    const nat = `${table} ${tap}-nat`;
    this.#nft(`add chain ${nat} { type nat hook postrouting priority 100; policy accept; }`);
    this.#nft(`add rule ${nat} ip saddr ${guest} oifname ${this.#pod.uplink} masquerade`);
  }

  /** "accept guest → resolver udp/tcp 53, then `ip saddr <guest> drop`; policy accept". */
  #input(tap: string, guest: string, resolver: string): void {
    const input = `${table} ${tap}-input`;
    this.#nft(`add chain ${input} { type filter hook input priority 0; policy accept; }`);
    const own = `iifname ${tap} ip saddr ${guest}`;
    this.#nft(`add rule ${input} ${own} ip daddr ${resolver} udp dport 53 accept`);
    this.#nft(`add rule ${input} ${own} ip daddr ${resolver} tcp dport 53 accept`);
    this.#nft(`add rule ${input} ip saddr ${guest} drop`);
  }

  #known(tap: string): SandboxPlace {
    const network = this.#standing.get(tap);
    if (network === undefined) throw new RangeError(`no sandbox stands at ${tap}`);
    return network;
  }

  #ip(words: string): void {
    this.#run('ip', words.split(' '));
  }

  #nft(command: string): void {
    this.#run('nft', [command]);
  }

  #run(program: string, words: string[]): void {
    this.#step(`${program} ${words.join(' ')}`);
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    execFileSync(program, words, {
      stdio: 'pipe',
      timeout: commandTimeoutMs,
      env: { ...process.env, PATH: path },
    });
  }
}

/** `[tcp|udp://]CIDR:port`; a name is the DNS proxy's. */
function cidrRule(guest: string, entry: string): string[] {
  const [, protocol = 'tcp', cidr, port] = /^(?:(tcp|udp):\/\/)?([\d.]+(?:\/\d+)?):(\d+)$/.exec(entry) ?? [];
  return cidr === undefined ? [] : [`ip saddr ${guest} ip daddr ${cidr} ${protocol} dport ${port} accept`];
}
