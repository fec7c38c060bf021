/** Netlink attributes (RFC 3549 section 2.3, the kernel's nlattr): read with every length checked, and written. */

export type Attributes = ReadonlyMap<number, Buffer>;

const typeMask = 0x3fff;
const nestedFlag = 0x8000;

/** The attributes of a payload; of a type that repeats, the last. Throws RangeError on a length that lies. */
export function readAttributes(data: Buffer): Attributes {
  const found = new Map<number, Buffer>();
  for (const [type, value] of attributeList(data)) found.set(type, value);
  return found;
}

/** The attributes in order, for lists. */
export function attributeList(data: Buffer): [type: number, value: Buffer][] {
  const list: [number, Buffer][] = [];
  let offset = 0;
  while (offset + 4 <= data.length) {
    const length = data.readUInt16LE(offset);
    if (length < 4 || offset + length > data.length) {
      throw new RangeError(`netlink attribute of ${length} bytes at ${offset} of ${data.length}`);
    }
    list.push([data.readUInt16LE(offset + 2) & typeMask, data.subarray(offset + 4, offset + length)]);
    offset += (length + 3) & ~3;
  }
  return list;
}

/** What is not there reads as an empty list. */
export function nested(attributes: Attributes, type: number): Attributes {
  return readAttributes(attributes.get(type) ?? Buffer.alloc(0));
}

export function text(attributes: Attributes, type: number): string {
  return (attributes.get(type)?.toString('utf8') ?? '').replace(/\0+$/, '');
}

/** nf_tables sends its numbers in network order. */
export function number32(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  return value === undefined ? null : value.readUInt32BE(0);
}

export function attribute(type: number, value: Buffer | string | readonly Buffer[]): Buffer {
  const list = Array.isArray(value);
  const body = typeof value === 'string' ? Buffer.from(`${value}\0`) : list ? Buffer.concat(value) : value;
  const bytes = body as Buffer;
  const made = Buffer.alloc((4 + bytes.length + 3) & ~3);
  made.writeUInt16LE(4 + bytes.length, 0);
  made.writeUInt16LE(list ? type | nestedFlag : type, 2);
  bytes.copy(made, 4);
  return made;
}
