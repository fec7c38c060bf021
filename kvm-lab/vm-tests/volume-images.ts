/** Images of file systems for volumes, made by mke2fs(8) of e2fsprogs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const imageOctets = 8 << 20;
const timeoutMs = 60_000;

/** @returns the path of `NAME.ext4`, an ext4 image that holds these files */
export function ext4File(
  folder: string,
  name: string,
  files: Readonly<Record<string, string>>,
  octets = imageOctets,
): string {
  const content = join(folder, `${name}.content`);
  mkdirSync(content);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(content, file), text);
  const image = join(folder, `${name}.ext4`);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', content, image, `${octets >> 10}k`], {
    timeout: timeoutMs,
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  rmSync(content, { recursive: true });
  return image;
}

/** @returns a descriptor of an ext4 image that holds these files */
export function ext4Image(folder: string, name: string, files: Readonly<Record<string, string>>): number {
  return openSync(ext4File(folder, name, files), 'r');
}
