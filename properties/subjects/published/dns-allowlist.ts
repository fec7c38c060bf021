/**
 * The published allowlist: "matches wildcards on presentation form" (findings.md F1, "Residual, messages").
 */

export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly entry: string;
}

/** Ports on which a presented name may be reached; empty when it is not allowlisted. */
export function portsOf(allow: readonly string[], name: string): PublishedPort[] {
  return allow.flatMap((entry) => {
    const [, protocol = 'tcp', host = '', port = ''] = /^(?:(tcp|udp):\/\/)?(.*):(\d+)$/.exec(entry) ?? [];
    const matches = host.startsWith('*.')
      ? name.endsWith(host.slice(1).toLowerCase())
      : name === host.toLowerCase();
    return matches
      ? [{ protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const), port: Number(port), entry }]
      : [];
  });
}
