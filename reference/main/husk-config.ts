/** The file that says where a husk stands: its node's forkd, its pod, its sandbox's network. */
import Type, { type Static } from 'typebox';
import { readChecked } from './checked-file.ts';

const closed = { additionalProperties: false } as const;
const text = Type.String({ minLength: 1, maxLength: 256 });
const texts = Type.Array(text, { maxItems: 4_096 });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const addresses = Type.Object({ guest: text, gateway: text, resolver: text }, closed);

/** What stands in it is held to what it means by who uses it: the datapath, the proxy. */
const config = Type.Object(
  {
    /** The uid is forkd’s. */
    node: Type.Object({ path: text, uid: Type.Integer({ minimum: 0, maximum: 4_294_967_294 }) }, closed),
    pod: Type.Object(
      {
        uplink: text,
        denyCIDRs: texts,
        nat64Prefixes: texts,
        pinPrivateCIDRs: texts,
        masqueradePorts: Type.Tuple([port, port]),
        maxPins: Type.Integer({ minimum: 1, maximum: 65_536 }),
      },
      closed,
    ),
    sandbox: Type.Object(
      {
        ...{ tap: text, tapMac: text, guestMac: text },
        ...{ ipv4: addresses, ipv6: Type.Union([addresses, Type.Null()]) },
      },
      closed,
    ),
    /** `ADDR[:PORT]`; without it, those of /etc/resolv.conf. */
    upstreams: Type.Optional(Type.Array(text, { minItems: 1, maxItems: 3 })),
  },
  closed,
);

export type HuskConfig = Static<typeof config>;

/** @throws CodedError `bad-flag` */
export const readHuskConfig = (file: string): HuskConfig => readChecked('config', file, config, 'it');
