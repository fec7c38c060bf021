/** F6.order and F6.userspace: what runs, is served or crosses before the gate, seen from outside of the guest. */
import { setTimeout as wait } from 'node:timers/promises';
import { residualCells } from '#properties/claims/claim.ts';
import { methodsTo } from '../crossings.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { type LabTemplate, plainWish } from '../fork-lab.ts';
import type { ForkHost } from '../historic-host.ts';
import { messageOf } from '../message-of.ts';
import { exhibitsOf } from '../shares.ts';
import { wishOf } from './siblings.ts';

/** Draws all the time, and prints it where the host reads along whatever the agent does; catches SIGUSR2. */
const workload = [
  'node',
  '-e',
  [
    "process.on('SIGUSR2', () => {})",
    "const fs = require('fs')",
    "const [out, random] = [fs.openSync('/dev/console', 'w'), fs.openSync('/dev/urandom', 'r')]",
    'const octets = Buffer.alloc(16)',
    "setInterval(() => { fs.readSync(random, octets); fs.writeSync(out, 'workload ' + octets.toString('hex') + '\\n') }, 20)",
  ].join(';'),
] as const;
const ground = { ...plainWish, workload };

const drawnLine = /workload ([0-9a-f]{32})/g;
const linesOf = (console: string) => [...console.matchAll(drawnLine)].map(([, octets = '']) => octets);

const leastWindowMs = 1_000;
const controlDeadlineMs = 60_000;
const pollMs = 20;
const wantedLines = 3;

interface Observed {
  /** Before anybody told it anything. */
  readonly early: readonly string[];
  /** The first of them, while no other process drew: what others take in between, siblings take at other places. */
  readonly alone: readonly string[];
  readonly late: readonly string[];
  readonly isServedEarly: boolean;
  readonly isServedLate: boolean;
  /** What could be delivered before the release. */
  readonly deliveredEarly: readonly string[];
  readonly controlMs: number;
  readonly methods: readonly string[];
}

const deliveries = ['token', 'secrets', 'exec'] as const;

function delivered(host: ForkHost, id: string): string[] {
  return deliveries.filter((what) => {
    try {
      host.deliver(id, what);
      return true;
    } catch (error) {
      if (/asked for in/.test(messageOf(error))) return false;
      throw error;
    }
  });
}

async function observe(
  { lab }: ForkStage,
  template: LabTemplate,
  host: ForkHost,
  windowMs: number,
): Promise<Observed> {
  const early = { delivered: new Set<string>(), isOver: false };
  let id = '';
  const hasten = () => {
    if (id === '' || early.isOver) return;
    for (const what of delivered(host, id)) early.delivered.add(what);
  };
  // At every line that crosses, before whoever waits for it has it.
  const { vm, guest, crossings } = await lab.fork(template, ({ channel, text }) => {
    if (channel !== 'control') return;
    // The release ends it.
    if (text.includes('"method":"release"')) early.isOver = true;
    hasten();
  });
  id = vm.id;
  try {
    hasten();
    await wait(windowMs);
    const drawnAlone = linesOf(vm.consoleTail());
    const before = await guest.run(['cat', '/proc/sys/kernel/random/uuid']);
    const drawnEarly = linesOf(vm.consoleTail());
    const begunMs = performance.now();
    await host.activate({ vm, source: template.source, reap: () => vm.stop() });
    early.isOver = true;
    const methods = methodsTo(crossings);
    const isEnough = () => linesOf(vm.consoleTail()).length >= drawnEarly.length + wantedLines;
    while (!isEnough() && performance.now() - begunMs < controlDeadlineMs) await wait(pollMs);
    const controlMs = performance.now() - begunMs;
    const after = await guest.run(['cat', '/proc/sys/kernel/random/uuid']);
    return {
      early: drawnEarly,
      alone: drawnAlone,
      late: linesOf(vm.consoleTail()).slice(drawnEarly.length),
      isServedEarly: before.ok,
      isServedLate: after.ok && delivered(host, id).length === deliveries.length,
      deliveredEarly: [...early.delivered],
      controlMs,
      methods,
    };
  } finally {
    await vm.stop();
  }
}

async function run(stage: ForkStage): Promise<Seen> {
  const template = await stage.lab.template(wishOf(stage, ground));
  const host = await stage.lab.host(stage.subject);
  const first = await observe(stage, template, host, leastWindowMs);
  const windowMs = Math.max(leastWindowMs, 3 * first.controlMs);
  const siblings = [first, await observe(stage, template, host, windowMs)];
  // As far as both have come.
  const common = Math.min(...siblings.map(({ alone }) => alone.length));
  const exhibits = exhibitsOf(siblings.map(({ alone }) => ({ 'a running process': alone.slice(0, common) })));
  const closed = siblings.some(({ late }) => late.length === 0)
    ? 'the workload does not run after the release'
    : siblings.every(({ isServedLate }) => isServedLate)
      ? null
      : 'nothing is served after the release';
  return {
    closed,
    effects: siblings.flatMap(({ early, isServedEarly, deliveredEarly }, index) => [
      ...(early.length === 0
        ? []
        : [
            `fork ${index}: its workload drew ${early.length} times before it was reseeded, first ${early[0]}`,
          ]),
      ...(isServedEarly ? [`fork ${index}: exec was served before anybody told it that it is a fork`] : []),
      ...deliveredEarly.map((what) => `fork ${index}: ${what} could be delivered before the gate`),
    ]),
    steps: siblings.map(
      ({ early, late, methods, controlMs }, index) =>
        `fork ${index}: ${early.length} draws before, ${late.length} after the release (${Math.round(controlMs)} ms); the host sent ${methods.join(', ')}`,
    ),
    judgedCases: siblings.reduce((sum, { early, late }) => sum + early.length + late.length + 2, 0),
    exhibits: exhibits.filter(({ share }) => share > 0),
    files: { 'observed.json': JSON.stringify(siblings, null, 2) },
  };
}

/** A live process in a template. */
async function runUndeclared(stage: ForkStage): Promise<Seen> {
  const { undeclared } = await stage.lab.template(wishOf(stage, ground));
  const said = JSON.stringify(undeclared);
  const isRefused = undeclared?.ok === false && /"pid":\d+,"comm":"\w+/.test(said);
  return {
    // The template was made in the end: with the process declared, or without a question.
    closed: null,
    effects: isRefused
      ? []
      : [`a process that nobody declared is alive in the snapshot: the agent says ${said}`],
    steps: [`a program runs, and nobody declares it; prepare_snapshot: ${said}`],
    judgedCases: 1,
    exhibits: [],
  };
}

export const orderAttacks: readonly ForkAttack[] = [
  {
    id: 'order.observed',
    claim: 'F6.order',
    statement:
      'Before the gate no workload draws, nothing is served and nothing can be delivered, though somebody tries at every line.',
    source: 'findings.md F6 Reference; facts.md: "A running child of the guest made 22–35 duplicate reads"',
    control: 'after the release the same workload draws, the same exec is served, the same is delivered',
    expected: residualCells,
    template: 'workload',
    run,
  },
  {
    id: 'userspace.undeclared-process',
    claim: 'F6.userspace',
    statement:
      'A template with a live process that nobody declared fork-safe is refused, by its name and number.',
    source:
      'findings.md F6 Reference: "A user process that is alive at snapshot time refuses the template by name"',
    control: 'the same template with the process declared is made',
    expected: residualCells,
    template: 'workload',
    run: runUndeclared,
  },
];
