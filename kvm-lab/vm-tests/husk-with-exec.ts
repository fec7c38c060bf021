/**
 * The husk's main, and besides its control a line of JSON on stdin for each program that is to run in its guest:
 * {"id", "argv"}, answered on stdout by {"id", "said", "ok"}. What serves that in a pod is another component.
 */
import { createInterface } from 'node:readline';
import { openLog } from '#reference/base/log.ts';
import { readHuskConfig } from '#reference/main/husk-config.ts';
import { openMachinery } from '#reference/main/husk-machinery.ts';
import { accelerators } from '#reference/main/open-engine.ts';
import { failProcess, oneOf, signalled } from '#reference/main/process.ts';
import { type ServedHusk, serveHusk, untilOver } from '#reference/main/serve-husk.ts';

const execTimeoutMs = 120_000;
const [file = '', path = '', acceleratorName = '', gateMs = ''] = process.argv.slice(2);

async function exec({ husk }: ServedHusk, line: string): Promise<void> {
  const { id, argv } = JSON.parse(line) as { readonly id: number; readonly argv: readonly string[] };
  let said = '';
  const order = { argv, timeout_ms: execTimeoutMs, max_output_octets: 65_536 };
  const take = (_stream: string, octets: Buffer) => {
    said += octets.toString();
  };
  const { ok } = await husk.exec(order, take).ended;
  process.stdout.write(`${JSON.stringify({ id, said: said.trim(), ok })}\n`);
}

async function run(): Promise<void> {
  const over = signalled();
  const log = openLog('husk', 'warn');
  const config = readHuskConfig(file);
  const machinery = await openMachinery(
    config,
    oneOf('accelerator', acceleratorName, accelerators),
    'none',
    log,
  );
  const options = { config, control: { path }, gateMs: Number(gateMs), templateMs: 300_000, log };
  const served = await serveHusk(options, machinery);
  createInterface({ input: process.stdin }).on('line', (line) => {
    exec(served, line).catch((error: unknown) => failProcess('husk', error));
  });
  await untilOver(served, over);
}

run().then(
  () => process.exit(0),
  (error: unknown) => failProcess('husk', error),
);
