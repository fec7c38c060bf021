/** What the first process of a guest does, on a sysfs of paper. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { muteGenerationEvent } from './init-script.ts';

let sys = '';
const eventFile = () => `${sys}/firmware/acpi/interrupts/gpe05`;

beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), 'init-script-'));
});
afterEach(() => rmSync(sys, { recursive: true }));

function put(path: string, text = ''): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** As the guest does: what fails ends it. */
const run = () => void execFileSync('sh', ['-c', ['set -e', ...muteGenerationEvent(sys)].join('\n')]);

const enabled = '       1  EN     enabled      unmasked\n';

describe('the event of the VM generation ID', () => {
  test('is muted where no driver listens to it', () => {
    put(eventFile(), enabled);
    run();
    expect(readFileSync(eventFile(), 'utf8')).toBe('disable\n');
  });

  test.each(['acpi', 'platform'])('is never muted where a driver of %s listens to it', (bus) => {
    put(eventFile(), enabled);
    put(`${sys}/bus/${bus}/drivers/vmgenid/bind`);
    run();
    expect(readFileSync(eventFile(), 'utf8')).toBe(enabled);
  });

  test('is left alone where it is not there, or is not enabled', () => {
    run();
    expect(existsSync(eventFile())).toBe(false);
    const invalid = '       0         invalid      unmasked\n';
    put(eventFile(), invalid);
    run();
    expect(readFileSync(eventFile(), 'utf8')).toBe(invalid);
  });
});
