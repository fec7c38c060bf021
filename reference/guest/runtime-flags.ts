/**
 * How Node runs an agent: interpreted. Imported before all else.
 * What a fork runs, an emulated CPU translates anew: a compiler costs it more than everything that it makes faster, and
 * a collection of garbage makes pages its own that it shared.
 */
import { setFlagsFromString } from 'node:v8';

for (const flag of [
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  // What was rehearsed stays compiled.
  '--no-flush-bytecode',
  // No collection because time has passed.
  '--no-memory-reducer',
]) {
  setFlagsFromString(flag);
}
