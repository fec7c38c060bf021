/** The bodies and answers of the sandbox server: one source of their types, their checks and their description. */
import Type, { type Static } from 'typebox';
import { imageNamePattern } from './volume-folder.ts';

const closed = { additionalProperties: false } as const;

const path = Type.String({ minLength: 1, maxLength: 4_096, pattern: '^/' });
const variables = Type.Record(Type.String({ maxLength: 256 }), Type.String({ maxLength: 32_768 }));
const argv = Type.Array(Type.String({ maxLength: 32_768 }), { minItems: 1, maxItems: 1_024 });

const serial = Type.String({ pattern: '^[A-Za-z0-9_-]{1,20}$' });
const maxVolumes = 8;

export const templateBody = Type.Object(
  {
    /** One of the images that the server was started with. */
    image: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$', default: 'default' })),
    /** A folder below the one that the server was started with, over the image. */
    rootfs: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' })),
    memoryMiB: Type.Optional(Type.Integer({ minimum: 64, maximum: 3_072, default: 512 })),
    cpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 8, default: 1 })),
    init: Type.Optional(
      Type.Array(
        Type.Object(
          {
            argv,
            env: Type.Optional(variables),
            cwd: Type.Optional(path),
            timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000, default: 60_000 })),
            background: Type.Optional(Type.Boolean({ default: false })),
          },
          closed,
        ),
        { maxItems: 64 },
      ),
    ),
    /** Names of processes that may be alive in the snapshot: they answer SIGUSR2. */
    allowProcesses: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 15 }), { maxItems: 16 })),
    /** Block devices of each fork: what is in them is said when it is forked. */
    volumes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            serial,
            /** Where it is mounted. */
            path,
            /** Of each image that comes into it: a multiple of 512. */
            octets: Type.Integer({ minimum: 512, maximum: 64 * 2 ** 30, multipleOf: 512 }),
            /** `private`: what a sandbox writes is its own, and gone with it. The image is never written. */
            access: Type.Union([Type.Literal('readonly'), Type.Literal('private')]),
          },
          closed,
        ),
        { maxItems: maxVolumes },
      ),
    ),
  },
  closed,
);

const network = Type.Object(
  {
    egress: Type.Union([Type.Literal('deny'), Type.Literal('allow')]),
    allow: Type.Optional(Type.Array(Type.String({ maxLength: 512 }), { maxItems: 256 })),
  },
  closed,
);

export const sandboxBody = Type.Object(
  {
    template: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    network: Type.Optional(network),
    secrets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ minLength: 1, maxLength: 128 }),
            value: Type.String({ maxLength: 16_384 }),
            envVar: Type.Optional(Type.String({ maxLength: 128 })),
            path: Type.Optional(path),
          },
          closed,
        ),
        { maxItems: 32 },
      ),
    ),
    /** One for each that the template declares: the name of an image in the server's folder (`--volumes`). */
    volumes: Type.Optional(
      Type.Array(Type.Object({ serial, image: Type.String({ pattern: imageNamePattern }) }, closed), {
        maxItems: maxVolumes,
      }),
    ),
    ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    idleSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
  },
  closed,
);

export const forksBody = Type.Object(
  {
    replicas: Type.Integer({ minimum: 1, maximum: 64 }),
    allowSecretInheritance: Type.Optional(Type.Boolean({ default: false })),
    /** The sandbox itself goes on only when its forks are there. */
    pauseSource: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);

export const execBody = Type.Object(
  {
    argv,
    env: Type.Optional(variables),
    cwd: Type.Optional(path),
    /** Base64; all of it is there before the program starts to read. */
    stdin: Type.Optional(Type.String({ maxLength: 700_000 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000, default: 60_000 })),
    maxOutputOctets: Type.Optional(Type.Integer({ minimum: 0, maximum: 1 << 30, default: 16 << 20 })),
    /** Processes and threads at once, of it and all that it starts; default: a quarter of what the kernel allows. */
    maxProcesses: Type.Optional(Type.Integer({ minimum: 1, maximum: 1 << 22 })),
    /** Beyond it all of it is killed; default: what all programs together may have. */
    maxMemoryOctets: Type.Optional(Type.Integer({ minimum: 1 << 20, maximum: 2 ** 40 })),
  },
  closed,
);

export const readyBody = Type.Object(
  {
    forks: Type.Integer({ minimum: 0, maximum: 64 }),
    /** They have run until their agents answered once, and were paused again: ready sooner. */
    rehearsed: Type.Optional(Type.Boolean()),
  },
  closed,
);

export const idParameters = Type.Object({ id: Type.String({ pattern: '^[0-9a-z-]{1,80}$' }) }, closed);

export const fileQuery = Type.Object(
  { path, mode: Type.Optional(Type.String({ pattern: '^[0-7]{3,4}$' })) },
  closed,
);

export const errorBody = Type.Object({ code: Type.String(), message: Type.String(), remedy: Type.String() });

export type TemplateBody = Static<typeof templateBody>;
export type SandboxBody = Static<typeof sandboxBody>;
export type ForksBody = Static<typeof forksBody>;
export type ExecBody = Static<typeof execBody>;
export type ReadyBody = Static<typeof readyBody>;
export type IdParameters = Static<typeof idParameters>;
export type FileQuery = Static<typeof fileQuery>;
