/**
 * What Firecracker's published API description says of the requests that a host makes, as JSON Schemas of our own,
 * written after the definitions of the same names in it (`src/firecracker/swagger/firecracker.yaml`, 1.17), and in
 * which state of the microVM each is taken (its `pre-boot only` and `post-boot only`). The stand-in holds requests to
 * it; the adapter never reads it.
 * Invariant: stricter than the description in one thing, as the program is: no other member is allowed.
 */

const text = { type: 'string', minLength: 1 } as const;
const flag = { type: 'boolean' } as const;
const object = (properties: Record<string, unknown>, required: readonly string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const whole = (minimum: number, maximum?: number) => ({
  type: 'integer',
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});

const tokenBucket = object({ one_time_burst: whole(0), refill_time: whole(0), size: whole(0) }, [
  'refill_time',
  'size',
]);
const rateLimiter = object({ bandwidth: tokenBucket, ops: tokenBucket }, []);
const mac = { type: 'string', pattern: '^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$' };

/** `not started`: before the start or a load, which end it; `started`: after one. */
export type AllowedWhen = 'not started' | 'started' | 'always';

export interface Operation {
  /** null: there is none. */
  readonly body: object | null;
  readonly when: AllowedWhen;
  /** The last part of the path is an id, the same as this member of the body. */
  readonly id?: string;
  /** It makes the microVM one that boots: no snapshot can be loaded any more. */
  readonly isOfBoot?: true;
}

/** `METHOD path` without an id. */
export const operations: Readonly<Record<string, Operation>> = {
  'GET /': { body: null, when: 'always' },
  'GET /version': { body: null, when: 'always' },
  'PUT /boot-source': {
    ...{ when: 'not started', isOfBoot: true },
    body: object({ kernel_image_path: text, initrd_path: text, boot_args: { type: 'string' } }, [
      'kernel_image_path',
    ]),
  },
  'PUT /machine-config': {
    ...{ when: 'not started', isOfBoot: true },
    body: object(
      {
        vcpu_count: whole(1, 32),
        mem_size_mib: whole(1),
        smt: flag,
        track_dirty_pages: flag,
        huge_pages: { enum: ['None', 'Transparent', '2M'] },
        cpu_template: { enum: ['C3', 'T2', 'T2S', 'T2CL', 'T2A', 'V1N1', 'None'] },
      },
      ['vcpu_count', 'mem_size_mib'],
    ),
  },
  'PUT /network-interfaces': {
    ...{ when: 'not started', isOfBoot: true, id: 'iface_id' },
    body: object(
      {
        iface_id: text,
        host_dev_name: text,
        guest_mac: mac,
        mtu: whole(68, 65_535),
        rx_rate_limiter: rateLimiter,
        tx_rate_limiter: rateLimiter,
      },
      ['iface_id', 'host_dev_name'],
    ),
  },
  'PUT /vsock': {
    ...{ when: 'not started', isOfBoot: true },
    body: object({ guest_cid: whole(3), uds_path: text, vsock_id: text }, ['guest_cid', 'uds_path']),
  },
  'PUT /actions': {
    when: 'always',
    body: object({ action_type: { enum: ['FlushMetrics', 'InstanceStart', 'SendCtrlAltDel'] } }, [
      'action_type',
    ]),
  },
  'PATCH /vm': { when: 'started', body: object({ state: { enum: ['Paused', 'Resumed'] } }, ['state']) },
  'PUT /snapshot/create': {
    when: 'started',
    body: object({ snapshot_type: { enum: ['Full', 'Diff'] }, snapshot_path: text, mem_file_path: text }, [
      'snapshot_path',
      'mem_file_path',
    ]),
  },
  'PUT /snapshot/load': {
    when: 'not started',
    body: {
      ...object(
        {
          snapshot_path: text,
          mem_file_path: text,
          mem_backend: object({ backend_type: { enum: ['File', 'Uffd'] }, backend_path: text }, [
            'backend_type',
            'backend_path',
          ]),
          enable_diff_snapshots: flag,
          track_dirty_pages: flag,
          resume_vm: flag,
          network_overrides: {
            type: 'array',
            items: object({ iface_id: text, host_dev_name: text }, ['iface_id', 'host_dev_name']),
          },
          vsock_override: object({ uds_path: text }, ['uds_path']),
          clock_realtime: flag,
        },
        ['snapshot_path'],
      ),
      // Exactly one of the two.
      oneOf: [{ required: ['mem_backend'] }, { required: ['mem_file_path'] }],
    },
  },
};
