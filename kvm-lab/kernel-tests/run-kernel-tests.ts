/**
 * `pnpm test:kernel`: every file `*.kernel.test.ts` in a network namespace of its own, as root or in a user
 * namespace, and the datapath's once more with NET_ADMIN alone and /proc/sys read-only.
 * Invariant: what cannot run here is named with why and what to do, and never counts as passed.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const deadlineMs = 600_000;
const everything = 77;

interface Ground {
  readonly title: string;
  /** Runs a command in a fresh network namespace. */
  readonly enter: readonly string[];
}

const asRoot: Ground = { title: 'root', enter: ['unshare', '-nm'] };
const rootless: Ground = { title: 'user namespace', enter: ['unshare', '-Urnm'] };
const netAdminOnly: Ground = {
  title: 'NET_ADMIN alone, /proc/sys read-only',
  enter: [
    'unshare',
    '-nm',
    'sh',
    '-c',
    'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys &&' +
      ' exec setpriv --no-new-privs --bounding-set=-all,+net_admin --inh-caps=-all "$@"',
    '-',
  ],
};

function works(...command: string[]): boolean {
  const [name = '', ...parameters] = command;
  return spawnSync(name, parameters, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

/** Why a file cannot run on this ground, or null. */
function missing(file: string, { enter }: Ground): string | null {
  if (!works(...enter, 'true'))
    return 'no network namespace can be made: run as root, or allow user namespaces';
  if (!works(...enter, 'nft', 'add', 'table', 'inet', 'probe'))
    return 'no nf_tables or no nft: load the module nf_tables, install nftables';
  const [header = ''] = readFileSync(`${root}${file}`, 'utf8').split('*/');
  if (/Needs: root/.test(header) && process.getuid?.() !== 0)
    return 'it needs the rights of root on this kernel: run as root';
  const needsTun = /Needs: tun/.test(header);
  if (needsTun && !works(...enter, 'ip', 'tuntap', 'add', 'probe', 'mode', 'tap'))
    return 'no tap can be made: run as root, or make /dev/net/tun readable and writable';
  return null;
}

function runOne(file: string, { title, enter }: Ground): 'passed' | 'failed' | 'skipped' {
  const why = missing(file, { title, enter });
  if (why !== null) {
    console.log(`skipped  ${file} (${title}): ${why}`);
    return 'skipped';
  }
  const vitest = [
    process.execPath,
    `${root}node_modules/vitest/vitest.mjs`,
    'run',
    '--config',
    'vitest.kernel.config.ts',
    '--configLoader',
    'native',
  ];
  const [name = '', ...parameters] = [...enter, ...vitest, file];
  const { status } = spawnSync(name, parameters, {
    cwd: root,
    stdio: 'inherit',
    timeout: deadlineMs,
    // Mounts of a test are seen by nobody else.
    env: { ...markedEnvironment(), OWN_MOUNTS: '1' },
  });
  console.log(`${status === 0 ? 'passed ' : 'FAILED '}  ${file} (${title})`);
  return status === 0 ? 'passed' : 'failed';
}

const wanted = process.argv.slice(2);
const isWanted = (file: string) => wanted.length === 0 || wanted.some((part) => file.includes(part));
const files = globSync('{reference,properties,kvm-lab,e2e}/**/*.kernel.test.ts', { cwd: root })
  .filter(isWanted)
  .sort();
if (files.length === 0) console.log(`no file *.kernel.test.ts has ${wanted.join(' or ')} in its path`);
const isRoot = process.getuid?.() === 0;
const results = files.map((file) => runOne(file, isRoot ? asRoot : rootless));
const contract = 'reference/datapath/datapath.kernel.test.ts';
if (isRoot && isWanted(contract)) results.push(runOne(contract, netAdminOnly));
const count = (outcome: string) => results.filter((one) => one === outcome).length;
console.log(`\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
// Nothing that did not run counts as passed.
if (count('failed') > 0 || files.length === 0) process.exitCode = 1;
else if (count('passed') === 0) process.exitCode = everything;
