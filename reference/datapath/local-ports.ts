/** Ports that the pod uses itself: those of its listeners, and where its own connections begin. */
import { readFileSync } from 'node:fs';

export interface LocalPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** TCP_LISTEN, and the state of a UDP socket that is not connected. */
const listening = { tcp: '0A', udp: '07' } as const;

/** Of the calling process's network namespace, both families. */
export function listeningPorts(): LocalPort[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].flatMap((family) =>
      linesOf(`/proc/thread-self/net/${protocol}${family}`).flatMap((line) => {
        const [, local = '', , state = ''] = line.trim().split(/\s+/);
        const port = Number.parseInt(local.split(':')[1] ?? '', 16);
        return state === listening[protocol] && port > 0 ? [{ protocol, port }] : [];
      }),
    ),
  );
}

/** net.ipv4.ip_local_port_range */
export function ephemeralPorts(): readonly [first: number, last: number] | null {
  const [line = ''] = linesOf('/proc/sys/net/ipv4/ip_local_port_range');
  const [first, last] = line.trim().split(/\s+/).map(Number);
  return first === undefined || last === undefined || Number.isNaN(first + last) ? null : [first, last];
}

/** None where the family is not there at all. */
function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'latin1')
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
