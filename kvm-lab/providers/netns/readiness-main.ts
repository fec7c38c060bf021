/** Tries the lab in the process that would run it, and prints what is missing as JSON, or null. */
import { netnsUnsupported } from './netns.ts';

process.stdout.write(`${JSON.stringify(netnsUnsupported())}\n`);
