/** The file of templates that forkd builds at its start: read whole, held to its form, refused by the field. */
import Type, { type Static } from 'typebox';
import { readChecked } from './checked-file.ts';

const closed = { additionalProperties: false } as const;
const path = Type.String({ minLength: 1, maxLength: 4_096 });
const pinned = Type.Object({ path, sha256: Type.String({ pattern: '^[0-9A-Fa-f]{64}$' }) }, closed);
const word = Type.String({ maxLength: 32_768 });

const wanted = Type.Array(
  Type.Object(
    {
      spec: Type.Object(
        {
          kernel: pinned,
          initrd: pinned,
          commandLine: Type.String({ maxLength: 2_048 }),
          rootfs: Type.Union([path, Type.Null()]),
          memoryMiB: Type.Integer({ minimum: 64, maximum: 3_072 }),
          cpus: Type.Integer({ minimum: 1, maximum: 8 }),
          init: Type.Array(
            Type.Object(
              {
                argv: Type.Array(word, { minItems: 1, maxItems: 1_024 }),
                env: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), word)),
                cwd: Type.Optional(path),
                timeout_ms: Type.Integer({ minimum: 1, maximum: 600_000 }),
                background: Type.Optional(Type.Literal(true)),
              },
              closed,
            ),
            { maxItems: 64 },
          ),
          allowProcesses: Type.Array(
            Type.Object({ comm: Type.String({ minLength: 1, maxLength: 15 }) }, closed),
            { maxItems: 16 },
          ),
          volumes: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  serial: Type.String({ pattern: '^[A-Za-z0-9_-]{1,20}$' }),
                  octets: Type.Integer({ minimum: 512, maximum: 64 * 2 ** 30, multipleOf: 512 }),
                  access: Type.Union([Type.Literal('readonly'), Type.Literal('private')]),
                  path,
                },
                closed,
              ),
              { maxItems: 8 },
            ),
          ),
        },
        closed,
      ),
      ready: Type.Integer({ minimum: 0, maximum: 64 }),
      /** Those that stand ready have run until their agents answered once, and were paused again. */
      rehearsed: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  { maxItems: 256 },
);

export type WantedTemplates = Static<typeof wanted>;

/** @throws CodedError `bad-flag` */
export const readWantedTemplates = (file: string): WantedTemplates =>
  readChecked('templates', file, wanted, 'the list');
