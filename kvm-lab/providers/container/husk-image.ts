/**
 * The image of a husk's container, built on this machine from Debian's packages; nothing is pulled.
 * Invariant: its tag names all that it is made of, so that an image of that tag is never built twice nor stale.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import { markedEnvironment } from '../../leftovers/owner.ts';
import type { Unsupported } from '../unsupported.ts';
import { DockerError, docker } from './docker-engine.ts';

/** On containers: who made them. */
export const ownerLabel = 'huskproof.owner';
/** On images that the lab built. */
export const imageLabel = 'huskproof.image';
/** Of the images that the lab built. */
export const imageRepository = 'huskproof-husk';
/** Where a container sees this repository, read-only. */
export const sourceFolder = '/huskproof';

const recipe = {
  suite: 'bookworm',
  variant: 'minbase',
  packages: ['iproute2', 'nftables', 'libstdc++6'],
  node: process.version,
  architecture: process.arch,
} as const;

const stepTimeoutMs = 900_000;
const probeTimeoutMs = 60_000;

export function huskImage(): string {
  const digest = createHash('sha256').update(JSON.stringify(recipe)).digest('hex');
  return `${imageRepository}:${digest.slice(0, 12)}`;
}

export function hasImage(image: string): boolean {
  try {
    docker(['image', 'inspect', '--format', '{{.Id}}', image]);
    return true;
  } catch (error) {
    if (error instanceof DockerError && /no such image/i.test(error.message)) return false;
    throw error;
  }
}

function notBuilt(program: string, how: string): CodedError {
  const isMissing = how.includes('ENOENT') || how === 'exit 127';
  const remedy = isMissing
    ? 'apt-get install -y mmdebstrap util-linux tar docker.io'
    : 'see what it said above; the archive of Debian must be reachable';
  return new CodedError('image-not-built', `the image was not built: ${program}: ${how}`, remedy);
}

/** Shows what the program says as it says it. */
function step(
  [program = '', ...words]: readonly string[],
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  say(`$ ${program} ${words.join(' ')}`);
  const child = spawn(program, words, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...markedEnvironment(),
      PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
      // What they put aside goes with the folder, however they end.
      TMPDIR: folder,
    },
    timeout: stepTimeoutMs,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(notBuilt(program, error.message)));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(notBuilt(program, `exit ${code ?? signal}`));
    });
  });
}

/** Throws CodedError `image-not-built`; of a build that failed nothing is left. */
export async function buildImage(say: (line: string) => void): Promise<string> {
  const image = huskImage();
  const folder = makeLabFolder('image');
  try {
    // apt downloads as a user of its own.
    chmodSync(folder, 0o755);
    const archive = `${folder}/root.tar`;
    const { suite, variant, packages } = recipe;
    const include = `--include=${packages.join(',')}`;
    // As root it mounts /proc and /sys in the tree that it builds: elsewhere, so that they go with it.
    const apart = process.getuid?.() === 0 ? ['unshare', '--mount'] : [];
    await step([...apart, 'mmdebstrap', `--variant=${variant}`, include, suite, archive], folder, say);
    mkdirSync(`${folder}/usr/local/bin`, { recursive: true });
    copyFileSync(process.execPath, `${folder}/usr/local/bin/node`);
    chmodSync(`${folder}/usr/local/bin/node`, 0o755);
    const append = ['-C', folder, '--owner=0', '--group=0', '-rf', archive, 'usr/local/bin/node'];
    await step(['tar', ...append], folder, say);
    const label = `LABEL ${imageLabel}=${image}`;
    await step(['docker', 'import', '--change', label, archive, image], folder, say);
    return image;
  } finally {
    removeLabFolder(folder);
  }
}

const needed = [
  ['node', 'node --input-type=module-typescript -e "const one: number = 1"', 'Node 24 as node on its PATH'],
  ['ip', 'ip -Version', 'iproute2'],
  ['nft', 'nft --version', 'nftables'],
  ['tap', 'ip tuntap add probe mode tap', '/dev/net/tun and NET_ADMIN'],
  ['table', 'nft add table inet probe', 'NET_ADMIN and the module nf_tables'],
] as const;

/** Whether a container of that image has what a datapath needs: tried in one, with a husk's privileges. */
export function imageUnsupported(image: string): Unsupported | null {
  const remedy = image === huskImage() ? 'pnpm lab image' : `pnpm lab image, or name another than ${image}`;
  if (!hasImage(image)) return { reason: `there is no image ${image}`, remedy };
  const script = needed.map(([what, command]) => `${command} >/dev/null 2>&1 || echo ${what}`).join('; ');
  const rights = ['--cap-drop=ALL', '--cap-add=NET_ADMIN', '--security-opt=no-new-privileges'];
  const place = ['--rm', '--network=none', '--device=/dev/net/tun', '--entrypoint=sh'];
  try {
    const missing = docker(['run', ...place, ...rights, image, '-c', script], probeTimeoutMs).split('\n');
    const words = needed.filter(([what]) => missing.includes(what)).map(([, , words]) => words);
    return words.length === 0 ? null : { reason: `${image} lacks ${words.join('; ')}`, remedy };
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    return { reason: `no container of ${image} runs: ${error.message}`, remedy };
  }
}
