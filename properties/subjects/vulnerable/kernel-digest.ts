/**
 * The init container's script before the fix (findings.md F2, "Vulnerable"): "fetched the guest kernel
 * without a digest; skip-if-present kept a poisoned file forever".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { kernelDigest } from '../../protocol/kernel-digest.ts';
import { bind as bindPublished } from '../published/kernel-digest.ts';

/** The published script without a digest is the script as it was. */
export const bind: Bind<typeof kernelDigest> = (config) => bindPublished({ ...config, sha256: '' });
