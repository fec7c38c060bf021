/** One part of `pnpm bench datapath`, in a network namespace of its own: prints its figures as JSON. */
import { forwardPart } from './forward-part.ts';
import { pinsPart } from './pins-part.ts';
import { sandboxesPart } from './sandboxes-part.ts';
import { throughputPart } from './throughput-part.ts';

const parts = { sandboxes: sandboxesPart, pins: pinsPart, forward: forwardPart, throughput: throughputPart };
const [, , name = ''] = process.argv;
const part = parts[name as keyof typeof parts];
if (part === undefined) throw new Error(`no part ${name}: ${Object.keys(parts).join(', ')}`);
process.stdout.write(JSON.stringify(await part()));
