/**
 * The requests of Firecracker's API that the adapter sends, as JSON Schemas of our own, written after the definitions
 * of the same names in its published description (`src/firecracker/swagger/firecracker.yaml`).
 * Invariant: stricter than the description in one thing: no other member is allowed.
 */

const text = { type: 'string', minLength: 1 } as const;
const object = (properties: Record<string, unknown>, required: readonly string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

export interface ApiRequest {
  readonly method: 'PUT' | 'PATCH';
  readonly path: string;
  readonly body: object;
}

/** `METHOD path` → what its body is. */
export const apiSchemas: Readonly<Record<string, object>> = {
  'PUT /boot-source': object({ kernel_image_path: text, initrd_path: text, boot_args: { type: 'string' } }, [
    'kernel_image_path',
  ]),
  'PUT /machine-config': object(
    {
      vcpu_count: { type: 'integer', minimum: 1, maximum: 32 },
      mem_size_mib: { type: 'integer', minimum: 1 },
      smt: { type: 'boolean' },
      track_dirty_pages: { type: 'boolean' },
      huge_pages: { enum: ['None', 'Transparent', '2M'] },
      cpu_template: { enum: ['C3', 'T2', 'T2S', 'T2CL', 'T2A', 'V1N1', 'None'] },
    },
    ['vcpu_count', 'mem_size_mib'],
  ),
  'PUT /vsock': object({ guest_cid: { type: 'integer', minimum: 3 }, uds_path: text }, [
    'guest_cid',
    'uds_path',
  ]),
  'PUT /actions': object({ action_type: { enum: ['FlushMetrics', 'InstanceStart', 'SendCtrlAltDel'] } }, [
    'action_type',
  ]),
  'PATCH /vm': object({ state: { enum: ['Paused', 'Resumed'] } }, ['state']),
  'PUT /snapshot/create': object(
    { snapshot_type: { enum: ['Full', 'Diff'] }, snapshot_path: text, mem_file_path: text },
    ['snapshot_path', 'mem_file_path'],
  ),
  'PUT /snapshot/load': object(
    {
      snapshot_path: text,
      mem_backend: object({ backend_type: { enum: ['File', 'Uffd'] }, backend_path: text }, [
        'backend_type',
        'backend_path',
      ]),
      resume_vm: { type: 'boolean' },
      vsock_override: object({ uds_path: text }, ['uds_path']),
    },
    ['snapshot_path', 'mem_backend'],
  ),
};
