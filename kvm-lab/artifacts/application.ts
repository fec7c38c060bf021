/**
 * The application of a guest image: a main file and all that it imports, types stripped ahead, in one folder that is
 * the application's root. Stripping in the guest would cost a part of each boot.
 * Invariant: what is imported is in it or the build fails; nothing else is.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

const timeoutMs = 60_000;
const maxOctets = 64 * 1024 * 1024;

/** Static imports, exports from elsewhere, and imports of a literal while it runs. */
const specifiers = /(\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\2/g;

/** Modules of the runtime, and the one package that a guest has. */
const isOutside = (specifier: string) => specifier.startsWith('node:') || specifier === 'koffi';

/** Path from the application's root → text of the module. In a process of its own: this API of Node's warns once. */
export function application(main: string): Record<string, string> {
  const words = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), main];
  const text = execFileSync(process.execPath, words, { timeout: timeoutMs, maxBuffer: maxOctets });
  return JSON.parse(text.toString('utf8')) as Record<string, string>;
}

function strippedModules(main: string): Map<string, string> {
  const modules = new Map<string, string>();
  const waiting = [main];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const name = builtName(file);
    if (modules.has(name)) continue;
    const stripped = stripTypeScriptTypes(readFileSync(`${root}${file}`, 'utf8'), { mode: 'strip' });
    const importer = file;
    const text = stripped.replace(specifiers, (all, before: string, quote: string, specifier: string) => {
      if (isOutside(specifier)) return all;
      waiting.push(fileOf(importer, specifier));
      return `${before}${quote}${builtName(specifier)}${quote}`;
    });
    modules.set(name, text);
  }
  return modules;
}

/** The runtime takes `.ts` for a file whose types are still there. */
export const builtName = (path: string) => path.replace(/\.ts$/, '.js');

function fileOf(importer: string, specifier: string): string {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('.')) return posix.join(posix.dirname(importer), specifier);
  throw new Error(`${importer} imports ${specifier}, which no guest has`);
}

/** Beside the application: what its `#` imports mean. */
export const applicationManifest = `${JSON.stringify({
  type: 'module',
  imports: Object.fromEntries(
    ['reference', 'properties', 'kvm-lab'].map((folder) => [`#${folder}/*`, `./${folder}/*`]),
  ),
})}\n`;

/** In place of koffi's own loader, which tries many places and reads Node's program to know its libc. */
export const koffiLoader = `import { fileURLToPath } from 'node:url';
const native = { exports: {} };
process.dlopen(native, fileURLToPath(new URL('./koffi.node', import.meta.url)));
export default native.exports;
`;
export const koffiManifest = `${JSON.stringify({ name: 'koffi', type: 'module', exports: './koffi.js' })}\n`;

if (import.meta.main) {
  const [, , main = ''] = process.argv;
  process.stdout.write(JSON.stringify(Object.fromEntries(strippedModules(main))));
}
