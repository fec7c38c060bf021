/** Folders of stores that tests open, tear and damage. */

import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { openLog } from '#reference/base/log.ts';
import { type WitnessLimits, WitnessStore } from '#reference/fork-engine/witness-store.ts';

export const snapshotNamed = (name: string) => hash('sha256', name);

export class WitnessGround {
  readonly folder = mkdtempSync(`${tmpdir()}/huskproof-witnesses-`);

  open(limits: Partial<WitnessLimits> = {}): Promise<WitnessStore> {
    return WitnessStore.open(this.folder, openLog('test', 'silent'), limits);
  }

  read(snapshot: string): Buffer {
    return readFileSync(`${this.folder}/${snapshot}`);
  }

  write(snapshot: string, octets: Uint8Array): void {
    writeFileSync(`${this.folder}/${snapshot}`, octets);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
