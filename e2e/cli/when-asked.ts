/**
 * Of the verbs that nobody asks for the summary alone is read: a program in a fork does not wait until every claim and
 * attack is loaded.
 */
import type { Command } from 'commander';

const unread = new Map<Command, (command: Command) => Promise<void>>();

/** @param define adds options and action, or verbs below it, once the verb is asked for */
export function whenAsked(command: Command, define: (command: Command) => Promise<void>): void {
  unread.set(command, define);
}

/** Defines the verb that the words begin with; `help` may stand before its name. */
export async function readAsked(program: Command, words: readonly string[]): Promise<void> {
  let asked = program;
  for (const word of words) {
    if (word === 'help') continue;
    const next = asked.commands.find((command) => command.name() === word);
    if (next === undefined) break;
    asked = next;
    await unread.get(asked)?.(asked);
  }
}
