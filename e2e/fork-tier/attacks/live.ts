/** F6.live: a released sandbox is frozen and fanned out; source and children go on from one snapshot. */
import { residualCells } from '#properties/claims/claim.ts';
import { within } from '#reference/base/within.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { readAnswer } from '#reference/fork-engine/control-channel.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { type LabTemplate, plainWish, sourceOf } from '../fork-lab.ts';
import type { ForkHost } from '../historic-host.ts';
import { messageOf } from '../message-of.ts';
import { drawSiblings, quickPrograms, windowClosed } from '../siblings.ts';
import { seenOf, wishOf } from './siblings.ts';

const freezeMs = 60_000;
const kept = 'left by the source before it was forked';

/** A sandbox that runs, saved as it is. */
async function freeze(stage: ForkStage, host: ForkHost): Promise<LabTemplate> {
  const template = await stage.lab.template(wishOf(stage, plainWish));
  const { vm, guest } = await stage.lab.fork(template);
  try {
    const { control, generation } = await host.activate({
      vm,
      source: template.source,
      reap: () => vm.stop(),
    });
    await guest.draw(2);
    await guest.run(['sh', '-c', `echo ${kept} > /tmp/kept`]);
    const asked = control.ask({ method: 'prepare_snapshot' }, maxLineOctets);
    const { line } = await within(asked, freezeMs, () => new Error('the sandbox does not freeze'));
    if (readAnswer(line)?.ok !== true) throw new Error(`the sandbox is not frozen: ${line.slice(0, 300)}`);
    // As a busy sandbox would be: its generator was renewed a moment ago.
    await guest.must({ lab: 'renew' });
    guest.detach();
    const snapshot = await vm.save(template.snapshot.manifest.guest);
    return { ...template, snapshot, source: sourceOf(snapshot, generation) };
  } finally {
    await vm.stop();
  }
}

async function run(stage: ForkStage): Promise<Seen> {
  const host = await stage.lab.host(stage.subject);
  const frozen = await freeze(stage, host);
  try {
    const closed = await windowClosed(stage, frozen);
    const held: string[] = [];
    const programs = quickPrograms;
    // The first is the source that goes on; the others are its children.
    const all = await drawSiblings(stage, frozen, {
      ...{ count: 3, host, programs },
      after: async ({ guest }) =>
        void held.push((await guest.run(['cat', '/tmp/kept'])).stdout.toString().trim()),
    });
    const isContinued = held.length === 3 && held.every((text) => text === kept);
    return seenOf(
      all,
      closed ?? (isContinued ? null : 'source and children do not hold what the sandbox held'),
      [`a sandbox ran, was frozen and saved; it goes on, with two children: each holds its file`],
    );
  } catch (error) {
    throw new Error(`a live fork failed: ${messageOf(error)}`, { cause: error });
  } finally {
    frozen.snapshot.close();
  }
}

export const liveAttacks: readonly ForkAttack[] = [
  {
    id: 'live.fan-out',
    claim: 'F6.live',
    statement: 'After a live fork the source and every child draw what no other of them does.',
    source: 'facts.md: "Live fork of a running VM: freeze and fan out"',
    control:
      'two forks of the running sandbox that nobody tells anything share octets; each holds the sandbox’s file',
    expected: residualCells,
    template: 'plain',
    run,
  },
];
