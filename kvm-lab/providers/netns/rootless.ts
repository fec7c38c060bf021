/** Whether the lab in namespaces can be had without root: in a user namespace, tried as an unprivileged user. */
import { spawnSync } from 'node:child_process';
import type { Unsupported } from '../unsupported.ts';

const probeTimeoutMs = 20_000;
const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'];

function succeeds(command: readonly string[]): boolean {
  const [program = '', ...words] = command;
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  return (
    spawnSync(program, words, {
      stdio: 'ignore',
      timeout: probeTimeoutMs,
      cwd: '/',
      env: { ...process.env, PATH: path },
    }).status === 0
  );
}

/** For root the question is what another user could do: it is asked as nobody. */
export function rootlessUnsupported(): Unsupported | null {
  const enter = [...(process.getuid?.() === 0 ? nobody : []), 'unshare', '-Urnm'];
  if (!succeeds([...enter, 'true'])) {
    const remedy =
      'sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; or run as root';
    return { reason: 'an unprivileged user gets no user namespace', remedy };
  }
  if (!succeeds([...enter, 'nft', 'add table inet probe']))
    return {
      reason: 'no table can be made in a user namespace',
      remedy: 'load the module nf_tables, apt-get install -y nftables',
    };
  if (succeeds([...enter, 'ip', 'tuntap', 'add', 'probe', 'mode', 'tap'])) return null;
  const remedy = 'chmod 0666 /dev/net/tun, which is safe: a tap still needs NET_ADMIN; or run as root';
  return { reason: 'an unprivileged user cannot open /dev/net/tun', remedy };
}
