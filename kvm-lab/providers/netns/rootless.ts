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

const entering = () => [...(process.getuid?.() === 0 ? nobody : []), 'unshare', '-Urnm'];

/** For root the question is what another user could do: it is asked as nobody. */
export function rootlessUnsupported(): Unsupported | null {
  const enter = entering();
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
  return null;
}

/** Where /dev/net/tun is not for everybody, a veth with a packet socket stands for the tap. */
export function rootlessHasTaps(): boolean {
  return succeeds([...entering(), 'ip', 'tuntap', 'add', 'probe', 'mode', 'tap']);
}
